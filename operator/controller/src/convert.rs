//! From what users write to what decisions are made from. Destructured without `..`, so that a new field
//! can't be forgotten.

use jiff::SignedDuration;
use std::collections::BTreeMap;
use webinar_api as api;
use webinar_plan as plan;

/// A tier.
pub(crate) const fn tier(tier: api::Tier) -> plan::Tier {
    match tier {
        api::Tier::Room => plan::Tier::Room,
        api::Tier::T10k => plan::Tier::K10,
        api::Tier::T50k => plan::Tier::K50,
        api::Tier::T100k => plan::Tier::K100,
        api::Tier::T250k => plan::Tier::K250,
        api::Tier::T500k => plan::Tier::K500,
        api::Tier::T1M => plan::Tier::M1,
    }
}

/// A tier, back.
pub(crate) const fn api_tier(tier: plan::Tier) -> api::Tier {
    match tier {
        plan::Tier::Room => api::Tier::Room,
        plan::Tier::K10 => api::Tier::T10k,
        plan::Tier::K50 => api::Tier::T50k,
        plan::Tier::K100 => api::Tier::T100k,
        plan::Tier::K250 => api::Tier::T250k,
        plan::Tier::K500 => api::Tier::T500k,
        plan::Tier::M1 => api::Tier::T1M,
    }
}

/// A role, back.
pub(crate) const fn api_role(role: plan::Role) -> api::Role {
    match role {
        plan::Role::Sfu => api::Role::Sfu,
        plan::Role::Mid => api::Role::Mid,
        plan::Role::Relay => api::Role::Relay,
    }
}

/// A phase, back.
pub(crate) const fn api_phase(phase: plan::Phase) -> api::Phase {
    match phase {
        plan::Phase::Scheduled => api::Phase::Scheduled,
        plan::Phase::Ramping => api::Phase::Ramping,
        plan::Phase::Armed => api::Phase::Armed,
        plan::Phase::Live => api::Phase::Live,
        plan::Phase::Overrun => api::Phase::Overrun,
        plan::Phase::Draining => api::Phase::Draining,
        plan::Phase::Finished => api::Phase::Finished,
        plan::Phase::Expired => api::Phase::Expired,
    }
}

/// The phase that a status tells.
pub(crate) fn phase(told: api::Phase) -> Option<plan::Phase> {
    plan::Phase::ALL
        .into_iter()
        .find(|phase| api_phase(*phase) == told)
}

/// A spec.
pub(crate) fn spec(spec: &api::WebinarSpec) -> plan::Spec {
    let api::WebinarSpec {
        tier: booked,
        max_tier,
        start_time,
        duration: length,
        class_name: _,
        panelists,
        ready_before,
        overrun,
        release: _,
        r#override: _,
        suspend: _,
    } = spec;
    let booked = tier(*booked);
    plan::Spec {
        tier: booked,
        max_tier: max_tier.map_or(booked, tier).max(booked),
        start: start_time.as_ref().map(|t| t.0),
        duration: duration(*length),
        panelists: count(*panelists),
        ready_before: ready_before.map(duration),
        overrun: overrun.map(duration),
    }
}

/// What holds at once, whatever was accepted.
pub(crate) fn orders(spec: &api::WebinarSpec) -> plan::Orders {
    plan::Orders {
        suspend: spec.suspend,
        floor: spec.r#override.as_ref().map(floor),
        release: match spec.release {
            api::Release::Never => plan::Release::Never,
            api::Release::AfterPeak => plan::Release::AfterPeak,
        },
    }
}

fn floor(order: &api::Override) -> plan::Floor {
    let api::Override {
        relays,
        reason,
        until,
    } = order;
    plan::Floor {
        relays: count(*relays),
        reason: reason.clone(),
        until: until.0,
    }
}

/// A class with the CPU requests of its templates.
pub(crate) fn class(name: &str, spec: &api::WebinarClassSpec, cpu: plan::Cpu) -> plan::Class {
    let api::WebinarClassSpec {
        templates: _,
        max_tier,
        max_pods,
        max_total_pods,
        allow_credentials: _,
        topology,
        sizing: figures,
        ramp,
        live,
        attendance,
        stall,
        services: _,
        disruption,
    } = spec;
    let api::Topology {
        zones,
        zone_names,
        key: _,
    } = topology;
    let api::Ramp {
        wave_size,
        wave_interval,
        safety_percent,
        ready_before,
        settle,
    } = ramp;
    let api::Settle {
        node_startup,
        image_pull,
        pod_startup,
        upstream,
        load_balancer,
    } = settle;
    plan::Class {
        name: name.to_owned(),
        max_tier: tier(*max_tier),
        max_total_pods: max_total_pods.map(count),
        // What all may not have, one may not have either.
        sizing: sizing(
            figures,
            count(*zones),
            count(max_total_pods.unwrap_or(*max_pods).min(*max_pods)),
        ),
        cpu,
        zones: plan::Zones(zone_names.clone()),
        ramp: plan::Ramp {
            wave_size: count(*wave_size),
            wave_interval: duration(*wave_interval),
            safety_percent: count(*safety_percent),
            ready_before: ready_before.map(duration),
            settle: plan::Settle {
                node_startup: duration(*node_startup),
                image_pull: duration(*image_pull),
                pod_startup: duration(*pod_startup),
                upstream: duration(*upstream),
                load_balancer: duration(*load_balancer),
            },
        },
        live: self::live(live),
        budgets: disruption.pod_disruption_budgets,
        attendance: attendance.as_ref().and_then(source),
        stall: self::stall(stall),
    }
}

/// What of a class holds at once.
pub(crate) fn at_once(spec: &api::WebinarClassSpec) -> plan::AtOnce {
    plan::AtOnce {
        live: live(&spec.live),
        attendance: spec.attendance.as_ref().and_then(source),
        stall: stall(&spec.stall),
        max_total_pods: spec.max_total_pods.map(count),
    }
}

/// Where attendance comes from. The schema asks for one of the two.
fn source(attendance: &api::Attendance) -> Option<plan::Source> {
    let api::Attendance {
        pod_metrics,
        prometheus,
    } = attendance;
    let server = prometheus.as_ref().map(|p| plan::Source::Prometheus {
        interval: duration(p.scrape_interval),
    });
    pod_metrics.as_ref().map(|_| plan::Source::Pods).or(server)
}

fn stall(figures: &api::Stall) -> plan::Stall {
    let api::Stall {
        floor_kbps,
        after,
        no_signal_after,
        standby_after,
    } = figures;
    plan::Stall {
        floor: u64::from(count(*floor_kbps)) * 1000,
        after: duration(*after),
        no_signal_after: duration(*no_signal_after),
        standby_after: duration(*standby_after),
    }
}

/// How capacity is kept and given back.
fn live(figures: &api::Live) -> plan::Live {
    let api::Live {
        floor_after_start,
        overrun,
        drain_timeout,
        grow_at_percent,
        shrink_after,
        shrink_interval,
        gone_after,
        joins_per_second_per_relay,
    } = figures;
    plan::Live {
        floor_after_start: duration(*floor_after_start),
        overrun: duration(*overrun),
        drain_timeout: duration(*drain_timeout),
        grow_at_percent: count(*grow_at_percent),
        shrink_after: duration(*shrink_after),
        shrink_interval: duration(*shrink_interval),
        gone_after: duration(*gone_after),
        joins_per_second_per_relay: count(*joins_per_second_per_relay),
    }
}

fn sizing(figures: &api::Sizing, zones: u32, max_pods: u32) -> plan::Sizing {
    let api::Sizing {
        viewer:
            api::Viewer {
                bitrate_kbps: viewer_kbps,
                packets_per_second: viewer_pps,
            },
        packets_per_second_per_cpu,
        max_cpu_utilization_percent,
        egress_mbps,
        max_egress_utilization_percent,
        hard_utilization_percent,
        max_viewers_per_relay,
        imbalance_percent,
        spares: api::Spares {
            min: spares_min,
            percent: spares_percent,
        },
        fan_out,
        stage:
            api::Stage {
                packets_per_second: stage_pps,
                bitrate_kbps: stage_kbps,
                packets_per_second_per_panelist,
            },
        sfu: api::SfuSizing { counts },
    } = figures;
    plan::Sizing {
        viewer_kbps: count(*viewer_kbps),
        viewer_pps: count(*viewer_pps),
        pps_per_cpu: count(*packets_per_second_per_cpu),
        max_cpu_percent: count(*max_cpu_utilization_percent),
        egress_mbps: count(*egress_mbps),
        max_egress_percent: count(*max_egress_utilization_percent),
        hard_percent: count(*hard_utilization_percent),
        max_viewers_per_relay: max_viewers_per_relay.map(count),
        imbalance_percent: count(*imbalance_percent),
        spares_min: count(*spares_min),
        spares_percent: count(*spares_percent),
        fan_out: count(*fan_out),
        stage_pps: count(*stage_pps),
        stage_kbps: count(*stage_kbps),
        pps_per_panelist: count(*packets_per_second_per_panelist),
        sfu_counts: api::Tier::ALL
            .into_iter()
            .map(|t| (tier(t), count(counts.of(t))))
            .collect::<BTreeMap<_, _>>(),
        zones,
        max_pods,
    }
}

/// The schema keeps counts at zero or above.
pub(crate) fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// The schema keeps durations far below the limit.
fn duration(d: api::Duration) -> SignedDuration {
    SignedDuration::try_from(d.as_std()).unwrap_or(SignedDuration::MAX)
}
