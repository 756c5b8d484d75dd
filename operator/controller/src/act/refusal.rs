//! What the API server's answer to a create means: by reason, then causes, then message, not by code alone.

use jiff::SignedDuration;
use kube::core::Status;
use webinar_plan::SetbackKind;

/// How long until a refused write is tried again for the first time.
const RETRY_QUOTA: SignedDuration = SignedDuration::from_secs(30);
const RETRY_REJECTED: SignedDuration = SignedDuration::from_mins(5);
/// A webhook that fails comes back without a change to anything of ours, and the start does not wait for it.
const RETRY_UNASKED: SignedDuration = SignedDuration::from_secs(5);
/// A permission may be missing only because an API server that has just started has not loaded it yet.
const RETRY_FORBIDDEN: SignedDuration = SignedDuration::from_secs(10);

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The namespace is going or gone, and everything in it with it.
    Stop,
    /// People can do something about it. Not tried again before that long.
    SetBack(SetbackKind, SignedDuration),
    /// Try again soon.
    Again,
}

/// What `status`, the answer to a create, means.
pub(super) fn judge(status: &Status) -> Answer {
    let said = status.message.as_str();
    let details = status.details.as_ref();
    let cause = |reason: &str| details.is_some_and(|d| d.causes.iter().any(|c| c.reason == reason));
    let kind = details.map_or("", |d| d.kind.as_str());
    match status.code {
        403 if cause("NamespaceTerminating") => Answer::Stop,
        404 if kind == "namespaces" => Answer::Stop,
        403 if said.contains("exceeded quota:") => Answer::SetBack(SetbackKind::Quota, RETRY_QUOTA),
        // A new quota's use is counted within moments; until then it allows nothing.
        403 if said.contains("status unknown for quota:") => {
            Answer::SetBack(SetbackKind::Quota, RETRY_UNASKED)
        }
        403 if said.contains(" is forbidden: User ") => {
            Answer::SetBack(SetbackKind::Rejected, RETRY_FORBIDDEN)
        }
        500 if said.contains("failed calling webhook") => {
            Answer::SetBack(SetbackKind::Unasked, RETRY_UNASKED)
        }
        400 | 403 | 422 => Answer::SetBack(SetbackKind::Rejected, RETRY_REJECTED),
        _ => Answer::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a 1.36 server answers.
    fn answer(code: u16, json: &str) -> Answer {
        let mut status: Status = serde_json::from_str(json).unwrap();
        status.code = code;
        judge(&status)
    }

    #[test]
    fn answers_are_told_apart_by_more_than_their_code() {
        let going = r#"{"status":"Failure","reason":"Forbidden","message":"pods \"a\" is forbidden: unable to create new content in namespace events because it is being terminated","details":{"name":"a","kind":"pods","causes":[{"reason":"NamespaceTerminating","message":"namespace events is being terminated","field":"metadata.namespace"}]}}"#;
        assert_eq!(answer(403, going), Answer::Stop);
        let gone = r#"{"status":"Failure","reason":"NotFound","message":"namespaces \"events\" not found","details":{"name":"events","kind":"namespaces"}}"#;
        assert_eq!(answer(404, gone), Answer::Stop);
        let quota = r#"{"status":"Failure","reason":"Forbidden","message":"pods \"a\" is forbidden: exceeded quota: media, requested: pods=1, used: pods=5, limited: pods=5"}"#;
        let uncounted = r#"{"status":"Failure","reason":"Forbidden","message":"pods \"a\" is forbidden: status unknown for quota: media, resources: pods"}"#;
        assert_eq!(
            answer(403, uncounted),
            Answer::SetBack(SetbackKind::Quota, RETRY_UNASKED)
        );
        assert_eq!(
            answer(403, quota),
            Answer::SetBack(SetbackKind::Quota, RETRY_QUOTA)
        );
        let rights = r#"{"status":"Failure","reason":"Forbidden","message":"pods is forbidden: User \"x\" cannot create resource \"pods\""}"#;
        assert_eq!(
            answer(403, rights),
            Answer::SetBack(SetbackKind::Rejected, RETRY_FORBIDDEN)
        );
        let refused = Answer::SetBack(SetbackKind::Rejected, RETRY_REJECTED);
        let webhook =
            r#"{"status":"Failure","message":"Internal error occurred: failed calling webhook \"x\""}"#;
        assert_eq!(
            answer(500, webhook),
            Answer::SetBack(SetbackKind::Unasked, RETRY_UNASKED)
        );
        for (code, message) in [
            (403, "failed quota: media: must specify requests.cpu"),
            (403, "violates PodSecurity \\\"restricted:latest\\\""),
            (403, "ValidatingAdmissionPolicy 'x' denied request"),
            (400, "bad request"),
            (422, "Pod \\\"a\\\" is invalid"),
        ] {
            let json = format!(r#"{{"status":"Failure","message":"{message}"}}"#);
            assert_eq!(answer(code, &json), refused, "{code} {message}");
        }
        for code in [409, 429, 500, 503, 504] {
            assert_eq!(
                answer(code, r#"{"status":"Failure","message":"later"}"#),
                Answer::Again,
                "{code}"
            );
        }
    }
}
