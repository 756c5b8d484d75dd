//! At most one signal a second for each Webinar: the first at once, the rest gathered.
//!
//! Not a debounce: that restarts on every event and would starve a Webinar whose pods keep changing.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

/// Keys that were passed on lately are forgotten beyond this many.
const REMEMBERED: usize = 1_024;

struct State<K> {
    incoming: mpsc::Receiver<K>,
    queue: DelayQueue<K>,
    waiting: HashSet<K>,
    passed: HashMap<K, Instant>,
    interval: Duration,
}

/// Passes on each key of `incoming` at once, but no key twice within `interval`.
pub(crate) fn throttle<K>(incoming: mpsc::Receiver<K>, interval: Duration) -> impl Stream<Item = K>
where
    K: Clone + Eq + Hash + Send + 'static,
{
    let state = State {
        incoming,
        queue: DelayQueue::new(),
        waiting: HashSet::new(),
        passed: HashMap::new(),
        interval,
    };
    stream::unfold(state, |mut state| async move {
        state.next().await.map(|key| (key, state))
    })
}

impl<K: Clone + Eq + Hash> State<K> {
    async fn next(&mut self) -> Option<K> {
        loop {
            let key = tokio::select! {
                Some(due) = self.queue.next(), if !self.queue.is_empty() => {
                    let key = due.into_inner();
                    self.waiting.remove(&key);
                    return Some(self.pass(key));
                }
                key = self.incoming.recv() => key?,
            };
            if self.waiting.contains(&key) {
                continue;
            }
            let due = self.passed.get(&key).map(|t| *t + self.interval);
            match due.filter(|due| *due > Instant::now()) {
                None => return Some(self.pass(key)),
                Some(due) => {
                    self.waiting.insert(key.clone());
                    self.queue.insert_at(key, due);
                }
            }
        }
    }

    fn pass(&mut self, key: K) -> K {
        let now = Instant::now();
        if self.passed.len() >= REMEMBERED {
            self.passed.retain(|_, t| *t + self.interval > now);
        }
        self.passed.insert(key.clone(), now);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn first_at_once_then_one_a_second() {
        let (send, receive) = mpsc::channel(64);
        let start = Instant::now();
        let passed = tokio::spawn(
            throttle(receive, Duration::from_secs(1))
                .map(move |k| (k, start.elapsed().as_millis()))
                .collect::<Vec<_>>(),
        );
        for step in 0..25 {
            send.send("a").await.unwrap();
            if step == 0 {
                send.send("b").await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(send);
        let passed = passed.await.unwrap();
        let times: Vec<u128> = passed
            .iter()
            .filter(|(k, _)| *k == "a")
            .map(|(_, t)| *t)
            .collect();
        assert_eq!(times.len(), 4, "{times:?}");
        assert!(times.windows(2).all(|w| w[1] - w[0] >= 1_000), "{times:?}");
        assert_eq!(passed.iter().filter(|(k, _)| *k == "b").count(), 1);
    }
}
