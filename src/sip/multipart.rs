//! Bodies of several parts: RFC 2046 §5.1, RFC 5621. Gateways to ISUP send the description beside an ISUP message
//! (SIP-T, SIP-I); the description is all that is wanted here.
//!
//! ```text
//! --boundary CRLF  Content-Type: application/sdp CRLF CRLF  v=0 …  CRLF--boundary CRLF … CRLF--boundary--
//! ```

use bytes::Bytes;

use super::headers::Headers;
use super::values::MediaType;

/// Parts of a body that are looked at.
const MAX_PARTS: usize = 16;
/// Bodies of several parts within each other.
const MAX_DEPTH: u8 = 3;

/// The part of this type: the body itself, if it is of this type, or the first such part of it.
#[must_use]
pub fn part(headers: &Headers, wanted: &str) -> Option<Bytes> {
    let kind = headers.content_type().ok().flatten()?;
    find(&headers.body(), &kind, wanted, MAX_DEPTH)
}

fn find(body: &Bytes, kind: &MediaType, wanted: &str, depth: u8) -> Option<Bytes> {
    if kind.is(wanted) {
        return Some(body.clone());
    }
    let is_multipart = kind.essence.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
    if !is_multipart || depth == 0 {
        return None;
    }
    let boundary = kind.params.unquoted("boundary").filter(|boundary| !boundary.is_empty())?;
    parts(body, &boundary).into_iter().find_map(|part| {
        let (head, content) = split(&part);
        let kind = content_type(&head?)?;
        find(&content, &kind, wanted, depth - 1)
    })
}

/// What stands between the delimiters. Without the closing one the last part reaches to the end.
fn parts(body: &Bytes, boundary: &str) -> Vec<Bytes> {
    let delimiter = format!("--{boundary}");
    let mut starts = memchr::memmem::find_iter(body, &delimiter).filter(|at| {
        // A delimiter begins a line.
        *at == 0 || body.get(at - 1) == Some(&b'\n')
    });
    let mut parts = Vec::new();
    let mut open = starts.next();
    while let Some(start) = open.filter(|_| parts.len() < MAX_PARTS) {
        let from = start + delimiter.len();
        if body.get(from..from + 2) == Some(b"--") {
            break;
        }
        open = starts.next();
        let end = open.map_or(body.len(), |next| without_line_end(body, next));
        // The delimiter's own line may end in white space.
        let line = memchr::memchr(b'\n', body.get(from..end).unwrap_or_default()).map(|at| from + at + 1);
        if let Some(line) = line {
            parts.push(body.slice(line..end.max(line)));
        }
    }
    parts
}

/// The line end in front of a delimiter belongs to the delimiter.
fn without_line_end(body: &Bytes, at: usize) -> usize {
    match body.get(..at) {
        Some([.., b'\r', b'\n']) => at - 2,
        Some([.., b'\n']) => at - 1,
        Some(_) | None => at,
    }
}

/// The header lines of a part, and its content.
fn split(part: &Bytes) -> (Option<Bytes>, Bytes) {
    if part.starts_with(b"\r\n") {
        return (None, part.slice(2..));
    }
    match memchr::memmem::find(part, b"\r\n\r\n") {
        Some(at) => (Some(part.slice(..at)), part.slice(at + 4..)),
        None => (None, part.clone()),
    }
}

fn content_type(head: &Bytes) -> Option<MediaType> {
    let text = String::from_utf8(head.to_vec()).ok()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    let is_named = |line: &&str| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("Content-Type"))
    };
    let (_, value) = text.split("\r\n").find(is_named)?.split_once(':')?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::parse;

    fn sdp(content_type: &str, body: &str) -> Option<String> {
        let text = format!(
            "SIP/2.0 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = parse(Bytes::from(text)).unwrap();
        part(message.headers(), "application/sdp").map(|found| String::from_utf8(found.to_vec()).unwrap())
    }

    #[test]
    fn the_description_is_found_beside_an_isup_message() {
        let body = "--u1\r\nContent-Type: application/SDP\r\n\r\nv=0\r\ns=-\r\n\r\n--u1\r\n\
                    Content-Type: application/isup;version=itu-t92+;base=itu-t92+\r\n\
                    Content-Disposition: signal;handling=optional\r\n\r\n\u{1}\0\r\n--u1--\r\n";
        assert_eq!(sdp("multipart/mixed;boundary=u1", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        assert_eq!(sdp("Multipart/Mixed; boundary=\"u1\"", body).as_deref(), Some("v=0\r\ns=-\r\n"));
        let behind = "x\r\n--u1 \r\n\r\ntext\r\n--u1\r\nContent-ID: 1\r\ncontent-type:\r\n application/sdp\r\n\r\nv=0\r\n--u1--";
        assert_eq!(sdp("multipart/mixed;boundary=u1", behind).as_deref(), Some("v=0"));
    }

    #[test]
    fn parts_may_have_parts() {
        let body = "--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n--i\r\nContent-Type: text/plain\r\n\r\nx\r\n\
                    --i\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--i--\r\n--o--";
        assert_eq!(sdp("multipart/mixed;boundary=o", body).as_deref(), Some("v=0"));
    }

    #[test]
    fn what_holds_no_description_gives_none() {
        for (kind, body) in [
            ("application/isup", "x"),
            ("multipart/mixed", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0"),
            ("multipart/mixed;boundary=\"\"", "--\r\nContent-Type: application/sdp\r\n\r\nv=0"),
            ("multipart/mixed;boundary=x", "--x--\r\nContent-Type: application/sdp\r\n\r\nv=0"),
            (
                "multipart/mixed;boundary=x",
                "--x\r\nContent-Type: text/plain\r\n\r\nContent-Type: application/sdp",
            ),
            ("multipart/mixed;boundary=x", "--x"),
            ("multipart/mixed;boundary=x", "--x\r\n--x\r\n--x--"),
        ] {
            assert_eq!(sdp(kind, body), None, "{kind} {body}");
        }
        assert_eq!(sdp("application/sdp", "v=0").as_deref(), Some("v=0"));
        let many = "--x\r\nContent-Type: a/b\r\n\r\n".repeat(1_000);
        assert_eq!(sdp("multipart/mixed;boundary=x", &many), None);
    }
}
