//! Another API server than the one that a proxy stands before.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::upstream::Upstream;
use crate::Past;

/// Where [`Fault::ReadFrom`](super::Fault::ReadFrom) sends reads.
#[derive(Clone)]
pub struct Elsewhere(Arc<Upstream>);

impl Elsewhere {
    /// The cluster as it was.
    ///
    /// # Errors
    /// When the certificate of its API server cannot be read.
    pub fn past(past: &Past) -> Result<Self> {
        Self::at(past.server(), &past.ca())
    }

    pub(super) fn at(server: &str, ca: &Path) -> Result<Self> {
        Ok(Self(Arc::new(Upstream::new(server, ca)?)))
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.0
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.authority())
    }
}
