//! How many pods a tier takes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{Class, Counts, Shape, Sizing, Tier, servable};

use crate::cases;
use crate::world::{class, sizing, spec};

pub(crate) fn any_tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

/// Every number a class may have by its schema.
fn any_sizing() -> impl Strategy<Value = Sizing> {
    let load = (1..=1_000_000_u32, 1..=1_000_000_u32, 1..=10_000_000_u32);
    let percents = (1..=100_u32, 1..=100_u32, 1..=100_u32, 0..=100_u32);
    let network = (1..=1_000_000_u32, proptest::option::of(1..=1_000_000_u32));
    let spares = (0..=1000_u32, 0..=100_u32, 1..=1000_u32);
    let stage = (1..=1_000_000_u32, 1..=10_000_000_u32, 0..=1_000_000_u32);
    let rest = (1..=10_u32, 1..=10_u32, 1..=50_000_u32);
    (load, percents, network, spares, stage, rest).prop_map(
        |(load, percents, network, spares, stage, (sfus, zones, max_pods))| Sizing {
            viewer_kbps: load.0,
            viewer_pps: load.1,
            pps_per_cpu: load.2,
            max_cpu_percent: percents.0,
            max_egress_percent: percents.1,
            hard_percent: percents.0.max(percents.1).max(percents.2),
            imbalance_percent: percents.3,
            egress_mbps: network.0,
            max_viewers_per_relay: network.1,
            spares_min: spares.0,
            spares_percent: spares.1,
            fan_out: spares.2,
            stage_pps: stage.0,
            stage_kbps: stage.1,
            pps_per_panelist: stage.2,
            sfu_counts: Tier::ALL.into_iter().map(|t| (t, sfus)).collect(),
            zones,
            max_pods,
        },
    )
}

/// Numbers near the defaults, so that most tiers can be served.
fn likely_sizing() -> impl Strategy<Value = Sizing> {
    (
        50..400_u32,
        5_000..40_000_u32,
        0..40_u32,
        0..6_u32,
        0..8_u32,
        600..2_400_u32,
        1..=10_u32,
    )
        .prop_map(
            |(viewer_pps, pps_per_cpu, imbalance_percent, spares_min, spares_percent, stage_pps, zones)| {
                Sizing {
                    viewer_pps,
                    pps_per_cpu,
                    imbalance_percent,
                    spares_min,
                    spares_percent,
                    stage_pps,
                    zones,
                    ..sizing()
                }
            },
        )
}

fn class_with(sizing: Sizing, millis: u64) -> Class {
    let mut class = class(15);
    class.cpu.sfu_millis = millis;
    class.cpu.relay_millis = Some(millis);
    class.sizing = sizing;
    class
}

fn fleet(class: &Class, tier: Tier) -> Option<(Counts, Shape)> {
    let (capacity, shape) = servable(&spec(tier, None), class).ok()?;
    Some((capacity.counts(tier, &shape), shape))
}

fn not_more(easier: &Class, harder: &Class, tier: Tier) -> Result<(), TestCaseError> {
    let Some((more, wide)) = fleet(harder, tier) else {
        return Ok(());
    };
    let Some((less, narrow)) = fleet(easier, tier) else {
        return Err(TestCaseError::fail(
            "the easier case is refused, the harder one served",
        ));
    };
    prop_assert!(
        less.relay <= more.relay && less.mid <= more.mid && less.sfu <= more.sfu,
        "{:?} > {:?}",
        less,
        more
    );
    prop_assert!(narrow.shards.count() <= wide.shards.count());
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_plan_serves_the_tier_or_refuses_it(
        sizing in prop_oneof![any_sizing(), likely_sizing()],
        tier in any_tier(),
        millis in 1..1_000_000_u64,
        panelists in 1..=1000_u32,
    ) {
        let class = class_with(sizing, millis);
        let mut event = spec(tier, None);
        event.panelists = panelists;
        let Ok((capacity, shape)) = servable(&event, &class) else { return Ok(()); };
        let counts = capacity.counts(tier, &shape);
        prop_assert!(counts.total() <= class.sizing.max_pods);
        prop_assert!(counts.sfu >= 1);
        if tier == Tier::Room {
            prop_assert_eq!(counts.relay + counts.mid, 0);
            return Ok(());
        }
        prop_assert_eq!(capacity.seats(counts.relay, tier), tier.attendees());
        prop_assert_eq!(counts.relay % class.sizing.zones, 0);
        prop_assert_eq!(counts.mid % class.sizing.zones, 0);
        if shape.mids {
            prop_assert!(counts.mid <= capacity.stage_fan);
            // One mid may be lost and the others still feed everyone.
            prop_assert!(counts.relay <= (counts.mid - 1) * capacity.mid_fan);
        } else {
            prop_assert!(counts.relay <= capacity.stage_fan);
        }
    }

    #[test]
    fn counts_never_fall_as_load_rises(
        sizing in likely_sizing(), tier in any_tier(), more in 1..200_u32,
    ) {
        let class = class_with(sizing, 15_000);
        let mut harder = vec![class.clone(); 5];
        harder[0].sizing.imbalance_percent += more;
        harder[1].sizing.viewer_pps += more;
        harder[2].sizing.stage_pps += more;
        harder[3].sizing.spares_min += more;
        harder[4].sizing.spares_percent += more;
        for harder in &harder {
            not_more(&class, harder, tier)?;
        }
        for pair in Tier::ALL[1..].windows(2) {
            let (Some(small), Some(big)) = (fleet(&class, pair[0]), fleet(&class, pair[1])) else { continue };
            prop_assert!(small.0.relay <= big.0.relay && small.0.mid <= big.0.mid);
        }
    }

    #[test]
    fn counts_never_rise_as_cpu_rises(
        sizing in likely_sizing(), tier in any_tier(), millis in 4_000..32_000_u64, more in 1..4_000_u32,
    ) {
        let class = class_with(sizing, millis);
        let mut easier = vec![class.clone(); 3];
        easier[0].cpu.relay_millis = Some(millis + u64::from(more));
        easier[1].cpu.sfu_millis += u64::from(more);
        easier[2].sizing.pps_per_cpu += more;
        for easier in &easier {
            not_more(easier, &class, tier)?;
        }
    }

    #[test]
    fn a_lost_zone_leaves_hard_places_for_the_whole_tier(
        viewer_pps in 20..1200_u32, pps_per_cpu in 5_000..60_000_u32, millis in 1_000..64_000_u64,
        zones in 3..=10_u32, tier in any_tier(),
    ) {
        // CPU-bound: the network is no limit. Percentages are the defaults.
        let sizing = Sizing { viewer_pps, pps_per_cpu, zones, egress_mbps: 1_000_000, viewer_kbps: 1, ..sizing() };
        let class = class_with(sizing, millis);
        let Some((counts, shape)) = fleet(&class, tier) else { return Ok(()); };
        let capacity = class.capacity(10);
        prop_assume!(!shape.room && capacity.per_relay >= Some(10));
        let left = counts.relay - counts.relay / zones;
        prop_assert!(u64::from(left) * u64::from(capacity.hard_per_relay) >= u64::from(tier.attendees()));
    }

    #[test]
    fn shards_are_small_and_stable_through_raises(
        sizing in likely_sizing(),
        raises in prop::collection::vec((any_tier(), any::<Index>()), 1..5),
    ) {
        let class = class_with(sizing, 15_000);
        let zones = class.sizing.zones;
        let mut tiers: Vec<Tier> = raises.iter().map(|r| r.0).filter(|t| fleet(&class, *t).is_some()).collect();
        tiers.retain(|t| *t != Tier::Room);
        tiers.sort_unstable();
        let Some(first) = tiers.first() else { return Ok(()); };
        let (mut counts, mut shape) = fleet(&class, *first).unwrap();
        for (tier, (_, progress)) in tiers.iter().skip(1).zip(&raises) {
            let exist = u32::try_from(progress.index(counts.relay as usize + 1)).unwrap();
            let before = shape.shards.of_slots(exist, zones);
            let (more, wider) = fleet(&class, *tier).unwrap();
            shape = shape.widened(&wider, exist);
            counts = more;
            let after = shape.shards.of_slots(exist, zones);
            prop_assert_eq!(before, after, "a raise moved relays to other addresses");
        }
        let mut sizes = BTreeMap::<u32, u32>::new();
        for shard in shape.shards.of_slots(counts.relay, zones) {
            *sizes.entry(shard).or_default() += 1;
        }
        prop_assert!(sizes.values().all(|n| *n <= 250), "{:?}", sizes);
        prop_assert!(sizes.keys().all(|s| *s < shape.shards.count()));
    }
}
