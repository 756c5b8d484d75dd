//! A real Kubernetes control plane for tests, demos and benchmarks: etcd, the API server, the controller manager and the
//! scheduler as local processes, with simulated nodes and pods by kwok. Beside it, for the tests that ask for one, a real
//! Prometheus. Needs Rust and Go, and no container runtime.
//! [`dataplane`] stands in for the media servers in these pods and for their audience, and [`proxy`] makes things go wrong.
//! [`real`] is a node that is not simulated, for those who have Linux and root.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use webinar_testbed::{ControlPlane, NodeShape, Options};
//!
//! let control_plane = ControlPlane::start(Options::default()).await?;
//! control_plane.create_nodes(&NodeShape { count: 30, ..NodeShape::default() }).await?;
//! control_plane.apply_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: stage}}").await?;
//! let before = control_plane.audit().now()?;
//! // … let the operator work …
//! let writes = control_plane.audit().since(before)?.writes_by("system:serviceaccount:stage:operator");
//! assert_eq!(writes.delete, 0);
//! # Ok(())
//! # }
//! ```

mod apply;
pub mod audit;
mod certificates;
mod config;
mod control_plane;
pub mod crowd;
pub mod dataplane;
mod http;
mod identity;
mod kubeconfig;
mod nodes;
mod operator;
mod past;
mod ports;
pub mod process;
mod prometheus;
pub mod proxy;
pub mod real;
mod store;
pub mod tools;
pub mod wait;
mod work_dir;

pub use apply::apply_yaml;
pub use control_plane::{ApiRate, ControlPlane, Options};
pub use http::{http_get, wait_http_ok};
pub use kubeconfig::{client, write_kubeconfig};
pub use nodes::NodeShape;
pub use operator::{OperatorProcess, Usage, recorded_peak};
pub use past::Past;
pub use ports::free_port;
pub use prometheus::{Prometheus, Sample};
