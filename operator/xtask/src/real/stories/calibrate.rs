//! What a relay and an SFU carry here, and whether a relay's limit is where that says.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::class::{LIMIT, LIMITED, SINGLE};
use super::super::encoder::Encoder;
use super::super::lane::Lane;
use super::{SOON, on_air};
use crate::calibrate::{Capacity, Figures, Plan, Setup};

/// A prediction may be off by this share of itself.
const OFF_BY: f64 = 0.3;
const LASTING: Duration = Duration::from_secs(25);
const VIEWERS: [usize; 5] = [30, 60, 90, 120, 150];
const CHILDREN: [usize; 3] = [4, 8, 16];
/// Around what a relay of [`LIMIT`] carries on an ordinary machine.
const AT_LIMIT: [usize; 7] = [20, 30, 40, 50, 60, 75, 90];

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    println!("A relay with a CPU limit of {LIMIT}:");
    let plan = Plan {
        viewers: AT_LIMIT.to_vec(),
        children: Vec::new(),
        lasting: LASTING,
    };
    let limited = measure(lane, LIMITED, &plan).await?;
    println!("\nA relay without one, and an SFU:");
    let plan = Plan {
        viewers: VIEWERS.to_vec(),
        children: CHILDREN.to_vec(),
        lasting: LASTING,
    };
    measure(lane, SINGLE, &plan).await?;
    let Capacity {
        predicted,
        most,
        short,
    } = limited.capacity().context("the limit was not reached")?;
    ensure!(
        predicted * (1.0 + OFF_BY) >= most as f64 && predicted * (1.0 - OFF_BY) <= short as f64,
        "{predicted:.0} viewers were predicted, but {most} got everything and {short} did not"
    );
    Ok(())
}

async fn measure(lane: &mut Lane, class: &str, plan: &Plan) -> Result<Figures> {
    let event = on_air(lane, &format!("tier: 10k, className: {class}")).await?;
    let address = event.address("ingest").await?;
    let encoder = Encoder::start(&lane.clips, &lane.clips.full, &address)?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let setup = Setup {
        viewers: lane.viewers.clone(),
        directory: lane.control_plane.work_dir().to_owned(),
        relay: event.pod("relay-0").await?,
        sfu: (!plan.children.is_empty()).then_some(event.pod("sfu-0").await?),
        client: lane.control_plane.client(),
    };
    let figures = setup.run(plan).await?;
    println!("{figures}");
    ensure!(figures.kappa().is_some(), "no step was valid");
    drop(encoder);
    event.delete().await?;
    Ok(figures)
}
