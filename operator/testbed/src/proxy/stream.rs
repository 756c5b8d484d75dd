//! The body of an open watch.

use std::collections::VecDeque;

use anyhow::{Result, anyhow, ensure};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};

use super::answer::Answer;
use super::body::Body;
use super::request::Request;
use super::watches::{Mode, Ticket};

/// In bytes; the API server stores no object of more than 1.5 MiB.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// In bytes.
const MOST_HELD: usize = 64 * 1024 * 1024;

/// Hands events on as the watch's mode wants. `lines` tells whether events are lines, as they are in JSON.
pub(super) fn watch(body: Incoming, lines: bool, request: Request, ticket: Ticket) -> Body {
    let events = Events {
        body,
        lines,
        partial: BytesMut::new(),
        searched: 0,
    };
    let stream = Watch {
        events,
        held: Held::default(),
        request,
        ticket,
        done: false,
    };
    let frames = stream::unfold(stream, async |mut watch| {
        let next = watch.next().await?;
        Some((next.map(Frame::data), watch))
    });
    UnsyncBoxBody::new(StreamBody::new(frames.boxed()))
}

struct Watch {
    events: Events,
    held: Held,
    request: Request,
    ticket: Ticket,
    done: bool,
}

/// Events that are kept back, and how the API server ended the watch meanwhile, if it did.
#[derive(Default)]
struct Held {
    events: VecDeque<Bytes>,
    bytes: usize,
    end: Option<Result<()>>,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.done {
            return None;
        }
        let next = self.find_next().await;
        self.done |= !matches!(next, Some(Ok(_)));
        if let Some(Err(error)) = &next
            && (self.events.overflows() || self.held.overflows())
        {
            let problem = format!("{}: {error:#}", self.request);
            self.ticket.shared.problem(problem);
        }
        next
    }

    async fn find_next(&mut self) -> Option<Result<Bytes>> {
        loop {
            let mode = *self.ticket.mode.borrow_and_update();
            match mode {
                Mode::Flowing => {
                    if let Some(event) = self.held.events.pop_front() {
                        self.held.bytes -= event.len();
                        return Some(Ok(event));
                    }
                    if let Some(end) = self.held.end.take() {
                        return end.err().map(Err);
                    }
                    tokio::select! {
                        biased;
                        _ = self.ticket.mode.changed() => {}
                        event = self.events.next() => return event,
                    }
                }
                Mode::Held => {
                    tokio::select! {
                        biased;
                        _ = self.ticket.mode.changed() => {}
                        event = self.events.next(), if self.held.end.is_none() => {
                            if let Err(error) = self.held.keep(event) {
                                return Some(Err(error));
                            }
                        }
                    }
                }
                Mode::Frozen => _ = self.ticket.mode.changed().await,
                Mode::Closed => return None,
                Mode::Broken => return Some(Err(anyhow!("the watch was frozen"))),
                Mode::Gone => {
                    self.done = true;
                    return Some(Ok(Answer::gone().event(&self.request)));
                }
            }
        }
    }
}

impl Held {
    fn keep(&mut self, event: Option<Result<Bytes>>) -> Result<()> {
        match event {
            Some(Ok(event)) => {
                self.bytes += event.len();
                self.events.push_back(event);
                ensure!(
                    !self.overflows(),
                    "{} events are held, more than {MOST_HELD} bytes",
                    self.events.len()
                );
            }
            Some(Err(error)) => self.end = Some(Err(error)),
            None => self.end = Some(Ok(())),
        }
        Ok(())
    }

    fn overflows(&self) -> bool {
        self.bytes > MOST_HELD
    }
}

/// What the API server sends, event by event.
struct Events {
    body: Incoming,
    lines: bool,
    partial: BytesMut,
    /// How much of `partial` holds no end of a line.
    searched: usize,
}

impl Events {
    /// Nothing is lost when it is dropped before it comes back.
    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            if let Some(line) = self.line() {
                return Some(Ok(line));
            }
            if self.overflows() {
                return Some(Err(anyhow!("an event of more than {LONGEST_LINE} bytes")));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if !self.lines {
                        return Some(Ok(data));
                    }
                    self.partial.extend_from_slice(&data);
                }
                Some(Err(error)) => return Some(Err(error.into())),
                None if self.partial.is_empty() => return None,
                None => return Some(Ok(self.partial.split().freeze())),
            }
        }
    }

    fn overflows(&self) -> bool {
        self.partial.len() > LONGEST_LINE
    }

    fn line(&mut self) -> Option<Bytes> {
        let end = self.partial[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        match end {
            Some(end) => {
                let line = self.partial.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.partial.len();
                None
            }
        }
    }
}
