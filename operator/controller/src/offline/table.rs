//! The plan as a page of text.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use webinar_plan::{counted, grouped};

use super::contract::{Aside, Note, Outline, Report, Schedule, readable};

/// Renders `report` for people. `offsets` holds the offset that each manifest writes its start in.
pub(crate) fn render(report: &Report, offsets: &[Option<TimeZone>], machine_cpu: u32) -> String {
    let mut out = String::new();
    for (outline, offset) in report.webinars.iter().zip(offsets) {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a String can't fail.
        let _ = one(&mut out, outline, offset.as_ref(), machine_cpu);
    }
    if report.webinars.len() > 1
        && let Some(time) = report.combined.peak_time
    {
        let _ = writeln!(
            out,
            "\nTogether: at most {} pods at once, from {} on.",
            grouped(report.combined.peak_pods),
            readable(time)
        );
    }
    out
}

fn one(out: &mut String, outline: &Outline, offset: Option<&TimeZone>, machine_cpu: u32) -> std::fmt::Result {
    let tier = outline.tier.as_deref().unwrap_or("?");
    writeln!(out, "{}/{}  tier {tier}", outline.namespace, outline.name)?;
    if let Some(Note { reason, message }) = &outline.refused {
        return writeln!(out, "  refused       {reason}: {message}");
    }
    let (Some(pods), Some(schedule), Some(waves), Some(peak), Some(aside)) = (
        outline.pods,
        &outline.schedule,
        &outline.waves,
        outline.peak,
        &outline.aside,
    ) else {
        return Ok(());
    };
    writeln!(
        out,
        "  pods          {}: {}, {}, {}",
        grouped(pods.total()),
        counted(pods.sfu, "SFU"),
        counted(pods.mid, "mid"),
        counted(pods.relay, "relay")
    )?;
    match outline.viewers_per_relay {
        Some(viewers) => writeln!(
            out,
            "  seats         {} ({viewers} viewers per relay)",
            grouped(outline.seats)
        )?,
        None => writeln!(out, "  seats         {}", grouped(outline.seats))?,
    }
    times(out, schedule, aside, offset)?;
    writeln!(out, "  waves         {}", waves.len())?;
    for wave in waves {
        let p = wave.pods;
        writeln!(
            out,
            "    {}  {:>5} {}  (sfu {}, mid {}, relay {})",
            readable(wave.time),
            grouped(p.total()),
            if p.total() == 1 { "pod" } else { "pods" },
            p.sfu,
            p.mid,
            p.relay
        )?;
    }
    writeln!(
        out,
        "  peak          {} CPUs, {} memory",
        cores(peak.cpu_millicores),
        gib(peak.memory_bytes)
    )?;
    match aside.machines {
        Some(machines) => writeln!(out, "  machines      {} of {machine_cpu} CPUs", grouped(machines))?,
        None => writeln!(
            out,
            "  machines      a pod doesn't fit on {machine_cpu} CPUs: use larger machines"
        )?,
    }
    writeln!(
        out,
        "  cost          {} vCPU-hours until the planned end",
        grouped(aside.vcpu_hours)
    )?;
    writeln!(
        out,
        "  egress        {}, at most {} over the event",
        scaled(outline.egress_mbps, "Mbit/s", "Gbit/s"),
        scaled(aside.egress_gb, "GB", "TB")
    )?;
    writeln!(
        out,
        "  quota         pods {}, requests.cpu {}, requests.memory {}, services {}, count/controllerrevisions.apps 3",
        pods.total(),
        cores(peak.cpu_millicores),
        gib(peak.memory_bytes),
        aside.services
    )?;
    for Note { reason, message } in &outline.warnings {
        writeln!(out, "  warning       {reason}: {message}")?;
    }
    Ok(())
}

fn times(
    out: &mut String,
    schedule: &Schedule,
    aside: &Aside,
    offset: Option<&TimeZone>,
) -> std::fmt::Result {
    let note = |text: String| {
        if text.is_empty() {
            text
        } else {
            format!("  ({text})")
        }
    };
    let lead = format!(
        "{} s lead, {} s jitter",
        schedule.lead_seconds, schedule.jitter_seconds
    );
    for (name, time, remark) in [
        ("ramp", schedule.ramp_time, lead),
        ("ready by", schedule.ready_by_time, String::new()),
        ("start", schedule.start_time, String::new()),
        ("floor until", aside.floor_until, String::new()),
        ("end", schedule.end_time, String::new()),
        ("release", schedule.release_time, "at the latest".to_owned()),
    ] {
        let own = offset.map_or_else(String::new, |o| {
            format!("  {}", time.to_zoned(o.clone()).strftime("%F %T%:z"))
        });
        writeln!(out, "  {name:<13} {}{own}{}", readable(time), note(remark))?;
    }
    Ok(())
}

fn cores(millis: u64) -> String {
    if millis.is_multiple_of(1000) {
        (millis / 1000).to_string()
    } else {
        format!("{millis}m")
    }
}

fn gib(bytes: u64) -> String {
    format!("{}Gi", bytes.div_ceil(1 << 30))
}

/// `75 Mbit/s`, `1,500.0 Gbit/s`: in the unit that is a thousand times larger where there is a whole one of it.
fn scaled(n: u64, unit: &str, larger: &str) -> String {
    match n / 1_000 {
        0 => format!("{n} {unit}"),
        whole => format!("{}.{} {larger}", grouped(whole), n % 1_000 / 100),
    }
}
