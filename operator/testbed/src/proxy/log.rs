//! What was asked for and what was done to it.

use jiff::Timestamp;

use super::request::Request;

/// A write that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its number among all writes, from 1.
    pub position: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// What it was.
    pub request: Request,
    /// The status that the API server answered with, be it handed on or not; `None` while it has not answered, which it
    /// never does to a write that did not reach it.
    pub status: Option<u16>,
}

/// A fault that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// When.
    pub time: Timestamp,
    /// The place of its rule in the script, from 0.
    pub rule: usize,
    /// The fault in words, such as `apply, then reset`.
    pub fault: String,
    /// The request it happened to; for an open watch, the one that had opened it.
    pub request: Request,
    /// The [position](Write::position) of the write it happened to.
    pub position: Option<u64>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) writes: Vec<Write>,
    pub(super) injected: Vec<Injected>,
    /// What the proxy did that nobody asked for.
    pub(super) problems: Vec<String>,
}

impl Log {
    /// Notes a write and returns its position.
    pub(super) fn write(&mut self, time: Timestamp, request: &Request) -> u64 {
        let position = self.writes.len() as u64 + 1;
        self.writes.push(Write {
            position,
            time,
            request: request.clone(),
            status: None,
        });
        position
    }

    pub(super) fn answered(&mut self, position: u64, status: u16) {
        let write = usize::try_from(position - 1).map(|at| self.writes.get_mut(at));
        if let Ok(Some(write)) = write {
            write.status = Some(status);
        }
    }
}
