use jiff::Timestamp;
use webinar_plan::Reading;

use super::super::tests::{assignment, owner};
use super::*;

fn sample(second: i64, viewers: u64) -> Sample {
    Sample {
        at: Timestamp::from_second(second).expect("an instant"),
        viewers: Reading::Value(viewers),
        bytes_in: Reading::Missing,
        bytes_out: Reading::Missing,
    }
}

/// Everyone who is due at `now` answers with that many viewers. Says who was asked where.
fn answer_all(book: &mut Book, now: Instant, second: i64, viewers: u64) -> Vec<String> {
    let mut asked = Vec::new();
    while let Some((id, place, _, ask)) = book.lanes.next(now) {
        let Ask::Pod { pod, at, .. } = &ask else {
            panic!("pods are asked");
        };
        asked.push(format!("{pod} at {at}"));
        let answer = Answer::Pod(sample(second, viewers));
        book.lanes.leave(place);
        book.take(id, &ask, Ok(answer), now);
    }
    asked.sort();
    asked
}

const A: (&str, Role, &str) = ("a", Role::Sfu, "10.0.0.1");
const B: (&str, Role, &str) = ("b", Role::Relay, "10.0.0.2");

#[tokio::test(start_paused = true)]
async fn nothing_changes_when_the_same_is_followed_again() {
    let mut book = Book::default();
    let (wake, _woken) = mpsc::channel(8);
    let now = Instant::now();
    assert!(book.follow(&owner("w"), assignment(9998, &[A, B]), &wake, now));
    assert!(!book.follow(&owner("w"), assignment(9998, &[A, B]), &wake, now));
    let later = now + Duration::from_secs(5);
    assert_eq!(
        answer_all(&mut book, later, 0, 1),
        ["a at 10.0.0.1:9998", "b at 10.0.0.2:9998"]
    );
    assert!(!book.follow(&owner("w"), assignment(9998, &[A, B]), &wake, later));
    assert_eq!(book.signals("w").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn pods_come_go_and_move() {
    let mut book = Book::default();
    let (wake, _woken) = mpsc::channel(8);
    let mut now = Instant::now();
    let mut pass = || {
        now += Duration::from_secs(10);
        now
    };
    book.follow(&owner("w"), assignment(9998, &[A]), &wake, pass());
    assert_eq!(answer_all(&mut book, pass(), 10, 1), ["a at 10.0.0.1:9998"]);
    book.follow(&owner("w"), assignment(9998, &[A, B]), &wake, pass());
    assert_eq!(answer_all(&mut book, pass(), 20, 1).len(), 2);

    let moved = ("a", Role::Sfu, "10.0.0.9");
    book.follow(&owner("w"), assignment(9998, &[moved]), &wake, pass());
    let known = book.signals("w");
    assert_eq!(
        known.keys().collect::<Vec<_>>(),
        ["a"],
        "who is gone says nothing"
    );
    assert_eq!(known["a"].answered.as_second(), 20, "what a pod said stays true");
    assert_eq!(answer_all(&mut book, pass(), 30, 1), ["a at 10.0.0.9:9998"]);

    book.follow(&owner("w"), assignment(1234, &[moved]), &wake, pass());
    assert!(book.signals("w").is_empty(), "another source, other figures");
    assert_eq!(answer_all(&mut book, pass(), 40, 1), ["a at 10.0.0.9:1234"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_dropped() {
    let mut book = Book::default();
    let (wake, _woken) = mpsc::channel(8);
    let now = Instant::now();
    book.follow(&owner("w"), assignment(9998, &[A]), &wake, now);
    let (id, _, _, ask) = book.lanes.next(now + Duration::from_secs(2)).expect("due");
    book.follow(&owner("w"), assignment(1234, &[A]), &wake, now);
    book.take(id, &ask, Ok(Answer::Pod(sample(1, 1))), now);
    assert!(book.signals("w").is_empty(), "it was asked for something else");
    book.forget("w");
    book.take(id, &ask, Ok(Answer::Pod(sample(1, 1))), now);
    assert!(book.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_webinar_is_woken_for_news_and_not_for_each_sample() {
    let mut book = Book::default();
    let (wake, mut woken) = mpsc::channel(1);
    let begin = Instant::now();
    book.follow(&owner("w"), assignment(9998, &[A, B]), &wake, begin);
    let mut times = 0;
    for quarter in 0..80 {
        let now = begin + Duration::from_millis(250 * quarter);
        answer_all(&mut book, now, quarter as i64, 1);
        book.wake(now);
        while woken.try_recv().is_ok() {
            times += 1;
        }
    }
    assert!((8..=10).contains(&times), "woken {times} times in 20 s");
    let quiet = begin + Duration::from_secs(30);
    book.wake(quiet);
    let _ = woken.try_recv();
    book.wake(quiet + Duration::from_secs(10));
    assert!(woken.try_recv().is_err(), "nothing new was heard");
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_that_finds_no_room_is_tried_again() {
    let mut book = Book::default();
    let (wake, mut woken) = mpsc::channel(1);
    wake.try_send(Touched::All).expect("room");
    let now = Instant::now() + Duration::from_secs(5);
    book.follow(&owner("w"), assignment(9998, &[A]), &wake, Instant::now());
    answer_all(&mut book, now, 0, 1);
    book.wake(now);
    assert_eq!(woken.try_recv().ok(), Some(Touched::All));
    book.wake(now + Duration::from_millis(250));
    assert!(matches!(woken.try_recv(), Ok(Touched::Webinar { .. })));
}

#[tokio::test(start_paused = true)]
async fn those_that_are_gone_are_forgotten_with_all_that_is_asked() {
    let mut book = Book::default();
    let (wake, _woken) = mpsc::channel(8);
    let now = Instant::now();
    for uid in ["stays", "goes"] {
        book.follow(&owner(uid), assignment(9998, &[A]), &wake, now);
    }
    book.keep(Some("elsewhere"), |_| false);
    assert_eq!(book.pages.len(), 2, "another scope's are not its business");
    book.keep(Some("events"), |uid| uid == "stays");
    assert_eq!(book.pages.keys().collect::<Vec<_>>(), ["stays"]);
    book.keep(None, |_| false);
    assert!(book.is_empty());
    assert!(book.lanes.next(now + Duration::from_secs(60)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_once_for_all_pods() {
    let server = serde_json::json!({"url": "http://prometheus", "queries": {"viewers": "v"}});
    let of = |pods: &[(&str, Role, &str)]| Assignment {
        source: Source::Server(serde_json::from_value(server.clone()).expect("a server")),
        ..assignment(9998, pods)
    };
    let mut book = Book::default();
    let (wake, _woken) = mpsc::channel(8);
    let now = Instant::now();
    book.follow(&owner("w"), of(&[A]), &wake, now);
    book.follow(&owner("w"), of(&[A, B]), &wake, now);
    let later = now + Duration::from_secs(60);
    let (id, _, _, ask) = book.lanes.next(later).expect("due");
    assert!(book.lanes.next(later).is_none());
    let Ask::Server { pods, .. } = &ask else {
        panic!("the server is asked");
    };
    assert_eq!(pods.len(), 2);
    let told = [("pod-a", 5), ("pod-b", 6), ("pod-c", 7)];
    let told = told.map(|(pod, viewers)| (pod.to_owned(), sample(9, viewers)));
    book.take(id, &ask, Ok(Answer::Server(told.into())), later);
    let viewers: Vec<_> = book
        .signals("w")
        .into_iter()
        .map(|(uid, s)| (uid, s.viewers))
        .collect();
    assert_eq!(
        viewers,
        [
            ("a".to_owned(), Reading::Value(5)),
            ("b".to_owned(), Reading::Value(6))
        ]
    );
}
