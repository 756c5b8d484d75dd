//! The API server's audit log: who wrote what, how often.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// In bytes; without objects in it a record takes about a thousand.
const LONGEST_LINE: u64 = 256 * 1024;

/// The audit log of one API server.
///
/// A write is recorded as its answer is sent: right after a client has its answer, the record may still be on its way,
/// so wait for an expected record, and take the record of a later write as the sign that there are no more of an earlier one.
#[derive(Debug, Clone)]
pub struct Audit {
    file: PathBuf,
}

/// A moment in the log, as bytes from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(u64);

impl Audit {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// The moment after the last record so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn now(&self) -> Result<Offset> {
        let Some(mut file) = self.open()? else {
            return Ok(Offset::default());
        };
        let length = file.seek(SeekFrom::End(0))?;
        let start = length.saturating_sub(LONGEST_LINE);
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.take(length - start).read_to_end(&mut text)?;
        Ok(Offset(start + whole_lines(&text) as u64))
    }

    /// All records.
    ///
    /// # Errors
    /// When the log cannot be read, or a whole line is no record.
    pub fn records(&self) -> Result<Records> {
        self.since(Offset::default())
    }

    /// The records after a moment, in the order of their answers.
    ///
    /// # Errors
    /// When the log cannot be read, or a whole line is no record.
    pub fn since(&self, offset: Offset) -> Result<Records> {
        let Some(mut file) = self.open()? else {
            return Ok(Records::default());
        };
        file.seek(SeekFrom::Start(offset.0))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        parse(&text[..whole_lines(&text)])
    }

    /// The log, which is made with the first record.
    fn open(&self) -> Result<Option<File>> {
        match File::open(&self.file) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("opening {}", self.file.display())),
        }
    }
}

/// Length of the text without a half-written last line.
fn whole_lines(text: &[u8]) -> usize {
    text.iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1)
}

/// One write, be it done or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the API server received it.
    pub time: Timestamp,
    /// Who asked, such as `system:serviceaccount:<namespace>:<name>`.
    pub user: String,
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Plural, such as `pods`.
    pub resource: String,
    /// Such as `status`, or empty.
    pub subresource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Empty for collections and for names that the API server generates.
    pub name: String,
    /// HTTP status of the answer; 0 when there was none.
    pub code: u16,
    /// Whether it was only tried out.
    pub dry_run: bool,
}

/// Records of a stretch of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records(Vec<Record>);

impl Records {
    /// All of them, in the order of their answers.
    pub fn iter(&self) -> std::slice::Iter<'_, Record> {
        self.0.iter()
    }

    /// Those of one user, but for leases: whoever leads renews one every few seconds.
    pub fn by(&self, user: &str) -> impl Iterator<Item = &Record> {
        self.iter()
            .filter(move |record| record.user == user && record.resource != "leases")
    }

    /// One user's writes by kind.
    pub fn writes_by(&self, user: &str) -> Writes {
        self.by(user).fold(Writes::default(), Writes::and)
    }

    /// How often one user did what, by verb and resource (with its subresource, as in `pods/status`), but for dry runs
    /// and refused writes.
    pub fn counts_by(&self, user: &str) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for record in self.by(user).filter(|record| record.done()) {
            let resource = match record.subresource.as_str() {
                "" => record.resource.clone(),
                subresource => format!("{}/{subresource}", record.resource),
            };
            *counts.entry((record.verb.clone(), resource)).or_default() += 1;
        }
        counts
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = &'a Record;
    type IntoIter = std::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Record {
    /// Whether something was written.
    pub fn done(&self) -> bool {
        (200..400).contains(&self.code) && !self.dry_run
    }
}

/// How many writes of each kind, without leases and dry runs. Each write is counted in one field only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// Objects created.
    pub create: usize,
    /// Objects replaced.
    pub update: usize,
    /// Objects patched or applied.
    pub patch: usize,
    /// Objects or collections deleted, and pods evicted.
    pub delete: usize,
    /// Writes to `status`, by whatever verb.
    pub status: usize,
    /// Writes of Events, by whatever verb.
    pub events: usize,
    /// Writes that were answered with an error, whatever they were.
    pub refused: usize,
}

impl Writes {
    /// All writes but refused ones.
    pub fn total(&self) -> usize {
        self.create + self.update + self.patch + self.delete + self.status + self.events
    }

    fn and(mut self, record: &Record) -> Self {
        let field = match (
            record.resource.as_str(),
            record.subresource.as_str(),
            record.verb.as_str(),
        ) {
            _ if record.dry_run => return self,
            _ if !record.done() => &mut self.refused,
            ("events", ..) => &mut self.events,
            (_, "status", _) => &mut self.status,
            (_, "eviction", _) | (.., "delete" | "deletecollection") => &mut self.delete,
            (.., "create") => &mut self.create,
            (.., "update") => &mut self.update,
            (.., "patch") => &mut self.patch,
            _ => return self,
        };
        *field += 1;
        self
    }
}

fn parse(text: &[u8]) -> Result<Records> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| {
        let line: Line = serde_json::from_slice(line)
            .with_context(|| format!("no audit record: {}", String::from_utf8_lossy(line)))?;
        Ok(Record::from(line))
    });
    Ok(Records(records.collect::<Result<_>>()?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "requestURI")]
    request_uri: String,
    request_received_timestamp: Timestamp,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

impl From<Line> for Record {
    fn from(line: Line) -> Self {
        Self {
            time: line.request_received_timestamp,
            user: line.user.username,
            verb: line.verb,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            code: line.response_status.code,
            dry_run: line.request_uri.contains("dryRun=All"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn line(verb: &str, path: &str, code: u16) -> String {
        let (resource, subresource) = path.split_once('/').unwrap_or((path, ""));
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"x","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/n/{resource}?fieldManager=m","verb":"{verb}","user":{{"username":"u","groups":["g"]}},"sourceIPs":["127.0.0.1"],"objectRef":{{"resource":"{resource}","namespace":"n","name":"p","apiVersion":"v1","subresource":"{subresource}"}},"responseStatus":{{"metadata":{{}},"code":{code}}},"requestReceivedTimestamp":"2026-03-01T10:00:00.123456Z","stageTimestamp":"2026-03-01T10:00:00.2Z"}}"#
        )
    }

    #[test]
    fn a_record_is_read() {
        let records = parse(line("patch", "pods/status", 200).as_bytes()).expect("a record");
        let wanted = Record {
            time: "2026-03-01T10:00:00.123456Z".parse().expect("a time"),
            user: "u".to_owned(),
            verb: "patch".to_owned(),
            resource: "pods".to_owned(),
            subresource: "status".to_owned(),
            namespace: "n".to_owned(),
            name: "p".to_owned(),
            code: 200,
            dry_run: false,
        };
        assert_eq!(records.iter().collect::<Vec<_>>(), [&wanted]);
    }

    #[test]
    fn each_write_is_counted_once() {
        let dry = line("create", "pods", 201).replace("?fieldManager", "?dryRun=All&fieldManager");
        let lines = [
            line("create", "pods", 201),
            line("update", "services", 200),
            line("patch", "webinars", 200),
            line("delete", "pods", 200),
            line("deletecollection", "pods", 200),
            line("create", "pods/eviction", 201),
            line("patch", "webinars/status", 200),
            line("create", "events", 201),
            line("patch", "events", 200),
            line("update", "leases", 200),
            line("create", "pods", 409),
            dry,
        ];
        let records = parse(lines.join("\n").as_bytes()).expect("records");
        let writes = records.writes_by("u");
        let wanted = Writes {
            create: 1,
            update: 1,
            patch: 1,
            delete: 3,
            status: 1,
            events: 2,
            refused: 1,
        };
        assert_eq!(writes, wanted);
        assert_eq!(writes.total(), 9);
        assert_eq!(records.writes_by("somebody else"), Writes::default());
        assert_eq!(
            records.counts_by("u")[&("patch".to_owned(), "webinars/status".to_owned())],
            1
        );
        assert_eq!(
            records.counts_by("u")[&("create".to_owned(), "pods".to_owned())],
            1
        );
    }

    #[test]
    fn a_half_written_line_is_left_for_later() {
        let path = std::env::temp_dir().join(format!("webinar-testbed-audit-{}", std::process::id()));
        let audit = Audit::new(path.clone());
        assert_eq!(audit.now().expect("no file is an empty log"), Offset::default());

        let (first, second) = (line("create", "pods", 201), line("delete", "pods", 200));
        let (half, rest) = second.split_at(second.len() / 2);
        let mut file = File::create(&path).expect("a file");
        write!(file, "{first}\n{half}").expect("written");
        let middle = audit.now().expect("an offset");
        assert_eq!(audit.records().expect("records").iter().count(), 1);
        assert_eq!(audit.since(middle).expect("records").iter().count(), 0);

        writeln!(file, "{rest}").expect("written");
        let later: Vec<String> = audit
            .since(middle)
            .expect("records")
            .iter()
            .map(|record| record.verb.clone())
            .collect();
        assert_eq!(later, ["delete"]);
        std::fs::remove_file(path).expect("removed");
    }
}
