//! Many viewers at once.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::{self, Clock};
use super::endpoint::Endpoint;
use super::lateness::Lateness;
use super::record::{End, Record};
use super::session::{self, Setup, lock};
use super::{cpu, peer};
use crate::report::{Process, Report, Total};

/// What viewers there are to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where they watch; viewer i takes number i modulo their count.
    pub whep: Vec<Endpoint>,
    /// How many there are.
    pub viewers: usize,
    /// How many arrive per second.
    pub rate: f64,
    /// Pause before a viewer tries again.
    pub retry: Duration,
    /// Local address for media; otherwise the one from which the WHEP server is reached.
    pub bind: Option<IpAddr>,
}

/// Running viewers.
pub struct Fleet {
    clock: Clock,
    records: Vec<Arc<Mutex<Record>>>,
    lateness: Lateness,
    threads: usize,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Fleet {
    /// Lets the viewers arrive, as tasks of this runtime.
    ///
    /// # Errors
    /// When the plan makes no sense or no certificate can be made.
    pub fn start(plan: &Plan, runtime: &Handle) -> Result<Self> {
        ensure!(!plan.whep.is_empty(), "no WHEP URL is given");
        ensure!(
            plan.rate > 0.0,
            "viewers have to arrive at more than 0 per second"
        );
        let began = clock::now();
        let clock = Clock::start();
        let setup = Arc::new(Setup {
            config: peer::config()?,
            clock,
            bind: plan.bind,
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut records = Vec::with_capacity(plan.viewers);
        for (index, endpoint) in plan.whep.iter().cycle().take(plan.viewers).enumerate() {
            let record = Arc::new(Mutex::new(Record::new(index, endpoint.to_string())));
            records.push(record.clone());
            let viewer = Visitor {
                setup: setup.clone(),
                endpoint: endpoint.clone(),
                record,
                arrives: (began + arrival(index, plan.rate)).into(),
                retry: plan.retry,
                stop: stop.clone(),
            };
            tasks.spawn_on(viewer.run(), runtime);
        }
        let lateness = Lateness::default();
        tasks.spawn_on(lateness.clone().measure(stop.clone()), runtime);
        Ok(Self {
            clock,
            records,
            lateness,
            threads: runtime.metrics().num_workers(),
            stop,
            tasks,
        })
    }

    /// What the viewers saw so far.
    pub fn report(&self) -> Report {
        let time_ms = self.clock.unix_ms(clock::now());
        let viewers: Vec<_> = self
            .records
            .iter()
            .map(|record| lock(record).viewer(time_ms))
            .collect();
        Report {
            time_ms,
            total: Total::of(&viewers),
            viewers,
            process: Process {
                cpu_seconds: cpu::seconds(),
                late_ms: self.lateness.take_ms(),
                threads: self.threads,
            },
        }
    }

    /// Lets all viewers leave, which takes little more than a second.
    ///
    /// # Errors
    /// When one of them had come to grief through a mistake in this program.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a viewer came to grief")?;
        }
        Ok(())
    }
}

fn arrival(index: usize, rate: f64) -> Duration {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Duration::try_from_secs_f64(f64::from(index) / rate).unwrap_or(Duration::MAX)
}

struct Visitor {
    setup: Arc<Setup>,
    endpoint: Endpoint,
    record: Arc<Mutex<Record>>,
    arrives: Instant,
    retry: Duration,
    stop: CancellationToken,
}

impl Visitor {
    async fn run(self) {
        let arrival = self.stop.run_until_cancelled(sleep_until(self.arrives));
        if arrival.await.is_none() {
            return;
        }
        // Like the page in a browser that it stands for: as long as it is open, it tries.
        loop {
            let (end, session) = session::watch(&self.setup, &self.endpoint, &self.record, &self.stop).await;
            lock(&self.record).ended(&end);
            let leave = async {
                if let Some(session) = session {
                    session.leave().await;
                }
            };
            if end == End::Stopped {
                return leave.await;
            }
            let pause = self.stop.run_until_cancelled(sleep(self.retry));
            if let (None, ()) = tokio::join!(pause, leave) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_arrive_one_after_the_other() {
        assert_eq!(arrival(0, 20.0), Duration::ZERO);
        assert_eq!(arrival(30, 20.0), Duration::from_millis(1500));
        assert_eq!(arrival(1, 1e-300), Duration::MAX);
    }
}
