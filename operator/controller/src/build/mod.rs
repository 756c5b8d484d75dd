//! From decisions to objects. Nothing here talks to the API server or decides anything.

pub(crate) mod budget;
pub(crate) mod labels;
pub(crate) mod pod;
pub(crate) mod prepare;
pub(crate) mod revision;
pub(crate) mod service;
