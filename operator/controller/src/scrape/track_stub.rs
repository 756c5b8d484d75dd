//! The last answer of one pod, until `webinar_plan::Track` takes its place.

use webinar_plan::{Flow, Sample, Signal, Stall};

#[derive(Debug, Clone, Default)]
pub(super) struct Track(Option<Sample>);

impl Track {
    pub(super) fn take(&mut self, sample: Sample, _: &Stall) {
        self.0 = Some(sample);
    }

    pub(super) fn signal(&self) -> Option<Signal> {
        self.0.map(|last| Signal {
            answered: last.at,
            viewers: last.viewers,
            inbound: Flow::default(),
            outbound: Flow::default(),
        })
    }
}
