//! Several Webinars together: the most pods at once, and ramps that run into each other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::contract::{Combined, Note, Outline, Report};

/// The contract's version.
const VERSION: &str = "v1";

/// Puts outlines together, and warns where ramps overlap.
pub(crate) fn combine(mut webinars: Vec<Outline>) -> Report {
    let notes: Vec<Option<Note>> = (0..webinars.len()).map(|i| overlap(&webinars, i)).collect();
    for (outline, note) in webinars.iter_mut().zip(notes) {
        outline.warnings.extend(note);
    }
    Report {
        version: VERSION,
        combined: peak(&webinars),
        webinars,
    }
}

/// Pods come with their waves and go at the planned end.
fn peak(webinars: &[Outline]) -> Combined {
    let mut changes: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for outline in webinars {
        let (Some(waves), Some(schedule)) = (&outline.waves, &outline.schedule) else {
            continue;
        };
        for wave in waves.iter().filter(|w| w.time < schedule.end_time) {
            *changes.entry(wave.time).or_default() += i64::from(wave.pods.total());
            *changes.entry(schedule.end_time).or_default() -= i64::from(wave.pods.total());
        }
    }
    let mut here = 0;
    let mut most = Combined {
        peak_pods: 0,
        peak_time: None,
    };
    for (time, change) in changes {
        here += change;
        if here > i64::from(most.peak_pods) {
            most = Combined {
                peak_pods: u32::try_from(here).unwrap_or(u32::MAX),
                peak_time: Some(time),
            };
        }
    }
    most
}

/// Other ramps within this one's: together they may ask for more machines at once than either alone.
fn overlap(webinars: &[Outline], i: usize) -> Option<Note> {
    let (begin, end) = ramp(&webinars[i])?;
    let others: Vec<&Outline> = webinars
        .iter()
        .enumerate()
        .filter(|(j, other)| *j != i && ramp(other).is_some_and(|(b, e)| b <= end && begin <= e))
        .map(|(_, other)| other)
        .collect();
    if others.is_empty() {
        return None;
    }
    let mut by_minute: BTreeMap<Timestamp, u32> = BTreeMap::new();
    for wave in others
        .iter()
        .chain(&[&webinars[i]])
        .flat_map(|o| o.waves.iter().flatten())
    {
        let minute = Timestamp::from_second(wave.time.as_second().div_euclid(60) * 60).unwrap_or(wave.time);
        *by_minute.entry(minute).or_default() += wave.pods.total();
    }
    let (minute, pods) = by_minute
        .into_iter()
        .max_by_key(|(minute, pods)| (*pods, std::cmp::Reverse(*minute)))?;
    let mut names: Vec<String> = others
        .iter()
        .take(5)
        .map(|o| format!("{}/{}", o.namespace, o.name))
        .collect();
    if others.len() > names.len() {
        names.push(format!("{} more", others.len() - names.len()));
    }
    Some(Note {
        reason: "RampsOverlap".to_owned(),
        message: format!(
            "Its ramp overlaps with {}: together they create up to {pods} pods in one minute, at {}.",
            names.join(", "),
            minute.strftime("%F %H:%MZ")
        ),
    })
}

/// From the first wave to the last.
fn ramp(outline: &Outline) -> Option<(Timestamp, Timestamp)> {
    let waves = outline.waves.as_ref()?;
    let settle = outline.aside.as_ref().map_or(SignedDuration::ZERO, |a| a.settle);
    Some((waves.first()?.time, waves.last()?.time + settle))
}
