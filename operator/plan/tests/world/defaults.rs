//! The classes and specs that tests begin with: the defaults of the API.

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{Class, Cpu, Live, Ramp, Settle, Sizing, Source, Spec, Stall, Tier, Zones};

use super::secs;

/// The figures of sizing.md.
pub fn sizing() -> Sizing {
    let sfus = [1, 2, 2, 3, 3, 3, 3];
    Sizing {
        viewer_kbps: 1500,
        viewer_pps: 200,
        pps_per_cpu: 19_000,
        max_cpu_percent: 65,
        egress_mbps: 5000,
        max_egress_percent: 75,
        hard_percent: 95,
        max_viewers_per_relay: None,
        imbalance_percent: 10,
        spares_min: 2,
        spares_percent: 2,
        fan_out: 50,
        stage_pps: 1220,
        stage_kbps: 9000,
        pps_per_panelist: 940,
        sfu_counts: Tier::ALL.into_iter().zip(sfus).collect(),
        zones: 3,
        max_pods: 5000,
    }
}

/// The default class, with templates that request `cpus` CPUs.
pub fn class(cpus: u64) -> Class {
    Class {
        name: "standard".to_owned(),
        max_tier: Tier::M1,
        max_total_pods: None,
        sizing: sizing(),
        cpu: Cpu {
            sfu_millis: cpus * 1000,
            relay_millis: Some(cpus * 1000),
        },
        zones: Zones::default(),
        ramp: Ramp {
            wave_size: 300,
            wave_interval: SignedDuration::from_mins(3),
            safety_percent: 150,
            ready_before: None,
            settle: Settle {
                node_startup: SignedDuration::from_mins(4),
                image_pull: secs(60),
                pod_startup: secs(5),
                upstream: secs(10),
                load_balancer: secs(90),
            },
        },
        live: Live {
            floor_after_start: SignedDuration::from_mins(15),
            overrun: SignedDuration::from_hours(2),
            drain_timeout: SignedDuration::from_mins(10),
            grow_at_percent: 80,
            shrink_after: SignedDuration::from_mins(10),
            shrink_interval: SignedDuration::from_mins(5),
            gone_after: SignedDuration::from_mins(2),
            joins_per_second_per_relay: 10,
        },
        budgets: true,
        attendance: Some(Source::Pods),
        stall: Stall {
            floor: 2000,
            after: secs(8),
            no_signal_after: secs(20),
            standby_after: secs(10),
        },
    }
}

/// What an event team writes at least.
pub fn spec(tier: Tier, start: Option<Timestamp>) -> Spec {
    Spec {
        tier,
        max_tier: tier,
        start,
        duration: SignedDuration::from_mins(60),
        panelists: 10,
        ready_before: None,
        overrun: None,
    }
}
