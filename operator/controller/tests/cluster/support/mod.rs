//! What the stories are told with.

pub(crate) mod assertions;
pub(crate) mod audience;
pub(crate) mod belongings;
pub(crate) mod flux;
pub(crate) mod length;
pub(crate) mod losses;
pub(crate) mod manifests;
mod operator;
pub(crate) mod oracle;
pub(crate) mod random;
pub(crate) mod release;
pub(crate) mod replica;
pub(crate) mod scene;
mod setting;
pub(crate) mod shell;
pub(crate) mod tenant;
pub(crate) mod world;
