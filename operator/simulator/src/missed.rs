//! Protections that are taken away, one after the other: each must be missed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use clap::ValueEnum as _;
use webinar_simulator::check::Violation;
use webinar_simulator::{Manner, Mutation, live};

/// What came of one.
struct Row {
    mutation: Mutation,
    seed: u64,
    ticks: u64,
    violation: Option<Violation>,
}

impl Row {
    /// It was missed in time, by what it should be missed by.
    fn good(&self) -> bool {
        self.violation
            .as_ref()
            .is_some_and(|v| self.mutation.breaks().contains(&v.invariant))
    }
}

/// Whether each of `mutations` was missed, and a table of when.
pub(crate) fn all(mutations: &[Mutation], threads: usize) -> Result<bool> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while let Some(mutation) = mutations.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = missed(*mutation)?;
            rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        }
        Ok(())
    };
    crate::on_threads(threads, work)?;
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|row| row.mutation);
    println!(
        "{:<18} {:>9} {:>9} {:>5}  missed by",
        "protection", "ticks", "at most", "seed"
    );
    for row in &rows {
        let found = row
            .violation
            .as_ref()
            .map_or_else(|| "NOTHING".to_owned(), ToString::to_string);
        let wrong = if row.violation.is_some() && !row.good() {
            "NOT BY: "
        } else {
            ""
        };
        println!(
            "{:<18} {:>9} {:>9} {:>5}  {wrong}{found}",
            name(row.mutation),
            row.ticks,
            row.mutation.within(),
            row.seed,
        );
    }
    Ok(rows.iter().all(Row::good))
}

/// As on the command line.
pub(crate) fn name(mutation: Mutation) -> String {
    mutation
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// From the first seed on.
fn missed(mutation: Mutation) -> Result<Row> {
    let (mut ticks, mut seed) = (0, 0);
    let manner = Manner {
        told: false,
        mutation: Some(mutation),
    };
    loop {
        seed += 1;
        let outcome = live(&Arc::new(mutation.world(seed)), manner)?;
        ticks += outcome.ticks;
        if outcome.violation.is_some() || ticks > mutation.within() {
            return Ok(Row {
                mutation,
                seed,
                ticks,
                violation: outcome.violation.filter(|_| ticks <= mutation.within()),
            });
        }
    }
}
