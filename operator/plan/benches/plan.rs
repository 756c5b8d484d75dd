//! How long one pass of the planner takes, for a small event and for the largest.
//!
//! Prints a line for each case: its name, its tier, the pods it is about, and the nanoseconds of every pass, separated
//! by spaces. `cargo xtask bench --only pass` runs it and makes a table of that.

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use webinar_plan::{Input, Plan, Tier, plan};
use world::{World, at, class, secs, spec};

const CREATED: &str = "2027-03-04T09:00:00Z";
const START: &str = "2027-03-04T17:00:00Z";

/// Passes of each case that are timed.
const PASSES: usize = 300;
/// Passes before those, while caches and branch predictors are cold.
const WARM_UP: usize = 20;

fn main() {
    let tiers = [Tier::K10, Tier::M1];
    let mut cases: Vec<Case> = Moment::ALL
        .iter()
        .flat_map(|moment| tiers.map(|tier| Case::new(*moment, tier)))
        .collect();
    for case in &cases {
        for _ in 0..WARM_UP {
            black_box(plan(black_box(&case.input)));
        }
    }
    // In turns, so that whatever else the machine does meets all cases alike.
    for _ in 0..PASSES {
        for case in &mut cases {
            let taken = nanoseconds(&case.input);
            case.nanoseconds.push(taken);
        }
    }
    for case in cases {
        let times: Vec<String> = case.nanoseconds.iter().map(u128::to_string).collect();
        println!(
            "{} {} {} {}",
            case.moment.name(),
            case.tier,
            case.pods,
            times.join(" ")
        );
    }
}

/// One pass. Its plan is dropped when the time has been taken.
#[allow(
    clippy::disallowed_methods,
    reason = "a benchmark measures the real time of real passes; no decision sees it"
)]
fn nanoseconds(input: &Input) -> u128 {
    let began = Instant::now();
    let plan = black_box(plan(black_box(input)));
    let taken = began.elapsed();
    drop(plan);
    taken.as_nanos()
}

/// A moment in the life of an event.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The first pass of a ramp without waves: every pod is created.
    Create,
    /// A minute after the start, with every pod Ready: nothing is to be done.
    Ready,
    /// The first pass of the drain: every relay is cordoned.
    Drain,
}

impl Moment {
    const ALL: [Self; 3] = [Self::Create, Self::Ready, Self::Drain];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Ready => "ready",
            Self::Drain => "drain",
        }
    }

    fn input(self, tier: Tier) -> Input {
        let mut class = class(15);
        if matches!(self, Self::Create) {
            class.ramp.wave_size = u32::MAX;
        }
        let mut world = World::new(class, spec(tier, Some(at(START))), at(CREATED));
        world.now = match self {
            Self::Create => world.plan().next_wake.expect("the ramp is waited for"),
            Self::Ready => {
                world.run_until(at(START) + secs(60), |_, _| {});
                world.now
            }
            Self::Drain => {
                let plan = world.run_until(at(START) + secs(60), |_, _| {});
                plan.status.schedule.expect("a run has boundaries").release
            }
        };
        world.input()
    }

    /// Pods that the pass is about. Another number than expected means that something else would be measured.
    fn pods(self, input: &Input, plan: &Plan) -> usize {
        let idle = plan.create.is_empty() && plan.cordon.is_empty() && plan.delete.is_empty();
        match self {
            Self::Create if input.pods.is_empty() => plan.create.len(),
            Self::Ready if idle => input.pods.iter().filter(|pod| pod.ready).count(),
            Self::Drain if !plan.cordon.is_empty() => input.pods.len(),
            _ => 0,
        }
    }
}

/// What is measured.
struct Case {
    moment: Moment,
    tier: Tier,
    pods: usize,
    input: Input,
    nanoseconds: Vec<u128>,
}

impl Case {
    fn new(moment: Moment, tier: Tier) -> Self {
        let input = moment.input(tier);
        let pods = moment.pods(&input, &plan(&input));
        let fleet = if tier == Tier::M1 { 1242 } else { 17 };
        assert_eq!(pods, fleet, "{} at {tier}", moment.name());
        Self {
            moment,
            tier,
            pods,
            input,
            nanoseconds: Vec::with_capacity(PASSES),
        }
    }
}
