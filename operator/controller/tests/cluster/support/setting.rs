//! What a story needs around it.

use super::audience::SCALE;

/// What a scene is set up with.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Nodes, over three zones, each for 34 pods of 15 CPUs.
    pub(crate) nodes: u32,
    /// Admission plugins beyond the default ones.
    pub(crate) admission_plugins: Vec<String>,
    /// The operator has its namespace and its rights.
    pub(crate) granted: bool,
    /// The CRDs are installed and the classes `full` and `tiny` exist.
    pub(crate) prepared: bool,
    /// More arguments for the operator.
    pub(crate) operator_args: Vec<String>,
    /// A fault proxy stands between the operator and the API server.
    pub(crate) proxied: bool,
    /// Media servers run in the pods, and people watch, whose clients are so many times faster than real ones.
    pub(crate) watched: Option<f64>,
}

impl Setting {
    /// So many nodes, with media servers and viewers.
    pub(crate) fn watched(nodes: u32) -> Self {
        Self {
            nodes,
            watched: Some(SCALE),
            ..Self::default()
        }
    }

    /// Nodes alone: everything else comes with a release.
    pub(crate) fn bare(nodes: u32) -> Self {
        Self {
            nodes,
            granted: false,
            prepared: false,
            ..Self::default()
        }
    }

    /// So many nodes, and a fault proxy.
    pub(crate) fn proxied(nodes: u32) -> Self {
        Self {
            nodes,
            proxied: true,
            ..Self::default()
        }
    }
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            nodes: 3,
            admission_plugins: Vec::new(),
            granted: true,
            prepared: true,
            operator_args: Vec::new(),
            proxied: false,
            watched: None,
        }
    }
}
