//! Starts a control plane with simulated nodes (6, or as many as the argument says) and keeps it until Ctrl-C:
//! `cargo run -p webinar-testbed --example up -- 1300`.

use anyhow::{Context, Result};
use webinar_testbed::wait::Stopwatch;
use webinar_testbed::{ControlPlane, NodeShape, Options};

#[tokio::main]
async fn main() -> Result<()> {
    let count = match std::env::args().nth(1) {
        Some(count) => count.parse().context("the argument is a number of nodes")?,
        None => NodeShape::default().count,
    };
    let stopwatch = Stopwatch::start();
    let control_plane = ControlPlane::start(Options::default()).await?;
    println!(
        "control plane up after {:.1} s",
        stopwatch.elapsed().as_secs_f32()
    );
    let stopwatch = Stopwatch::start();
    control_plane
        .create_nodes(&NodeShape {
            count,
            ..NodeShape::default()
        })
        .await?;
    println!(
        "{count} nodes Ready {:.1} s later",
        stopwatch.elapsed().as_secs_f32()
    );
    println!("export KUBECONFIG={}", control_plane.kubeconfig().display());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
