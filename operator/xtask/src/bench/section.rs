//! What can be measured.

use anyhow::Result;
use clap::ValueEnum;

use super::table::Table;
use super::{examples, manifests, passes};
use crate::choice;

/// One benchmark: a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Section {
    /// The plan command on each example.
    Plan,
    /// The plan command on a thousand manifests.
    Manifests,
    /// One decision of the operator, for 17 and for 1,242 pods.
    Pass,
}

impl Section {
    /// Measures it.
    ///
    /// # Errors
    /// When something does not build or run.
    pub(super) fn measure(self) -> Result<Table> {
        let (how, rows) = match self {
            Self::Plan => examples::measure()?,
            Self::Manifests => manifests::measure()?,
            Self::Pass => passes::measure()?,
        };
        Ok(Table {
            section: choice::name(&self),
            what: choice::what(&self),
            how,
            rows,
        })
    }
}
