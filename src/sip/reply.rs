//! What every response copies from its request, and where it goes: RFC 3261 §8.2.6, §18.2; RFC 3581 §4.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::hop::{Hop, Protocol};
use super::local::{self, ACCEPT, ALLOW, INFO_TYPES, SDP};
use super::session::RELIABLE;
use super::transaction::{Key, MAGIC_COOKIE};
use super::{HeaderName, Method, NameAddr, Request, StatusCode, Uri, Via, Writer, multipart};

/// The head of the responses to one request. It stands in the record while a response is still to come,
/// and lets a later response be written without the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Where responses go (RFC 3261 §18.2.2).
    pub destination: Hop,
    vias: Vec<String>,
    from: String,
    to: String,
    call_id: String,
    cseq: String,
    record_routes: Vec<String>,
    server: String,
}

impl Reply {
    /// Reads a request that came from `from`; `tag` becomes the To tag if there is none (§8.2.6.2), and
    /// `server` is the value of Server (empty: none). `None` if the request lacks what a response needs:
    /// such a request cannot be answered.
    #[must_use]
    pub fn to(request: &Request, from: Hop, tag: &str, server: &str) -> Option<Self> {
        let headers = request.headers();
        let mut vias: Vec<String> = texts(headers.list(HeaderName::Via));
        let mut top = headers.via().ok()?;
        top.mark_source(from.address);
        *vias.first_mut()? = top.to_string();
        // As it came, so that nothing in it is spelt otherwise.
        let mut to = headers.get(HeaderName::To)?.into_owned();
        if headers.to().ok()?.tag().is_none() {
            to = format!("{};tag={tag}", to.trim_end_matches([';', ' ', '\t']));
        }
        headers.cseq().ok()?;
        Some(Self {
            destination: match from.protocol {
                Protocol::Udp => top.response_address().map_or(from, Hop::udp),
                // On the connection that the request came on (§18.2.2).
                Protocol::Tcp => from,
            },
            vias,
            from: headers.get(HeaderName::From)?.into_owned(),
            to,
            call_id: headers.call_id().ok()?.to_owned(),
            cseq: headers.get(HeaderName::CSeq)?.into_owned(),
            record_routes: texts(headers.all(HeaderName::RecordRoute)),
            server: server.to_owned(),
        })
    }

    /// The method of the request.
    pub(in crate::sip) fn method(&self) -> &str {
        self.cseq.rsplit([' ', '\t']).next().unwrap_or_default()
    }

    /// The beginning of a response.
    #[must_use]
    pub fn response(&self, status: StatusCode) -> Writer {
        self.response_because(status, status.reason())
    }

    /// The same with a reason phrase of its own, which says what is wrong (RFC 3261 §21.4.1).
    #[must_use]
    pub fn response_because(&self, status: StatusCode, reason: &str) -> Writer {
        let mut writer = Writer::response(status, reason);
        for via in &self.vias {
            writer.echo(HeaderName::Via, via);
        }
        writer.echo(HeaderName::From, &self.from);
        writer.echo(HeaderName::To, &self.to);
        writer.echo(HeaderName::CallId, &self.call_id);
        writer.echo(HeaderName::CSeq, &self.cseq);
        if !self.server.is_empty() {
            writer.header(HeaderName::Server, &self.server);
        }
        writer
    }

    /// The beginning of a response that makes or refreshes a dialog: with the Record-Route values of the
    /// request and our Contact (§12.1.1).
    #[must_use]
    pub fn dialog_response(&self, status: StatusCode, contact: &Uri) -> Writer {
        let mut writer = self.response(status);
        for route in &self.record_routes {
            writer.echo(HeaderName::RecordRoute, route);
        }
        writer.header(HeaderName::Contact, NameAddr::new(contact.clone()));
        writer
    }

    /// A whole response without a body.
    #[must_use]
    pub fn bare(&self, status: StatusCode, headers: &[(HeaderName, String)]) -> Option<Bytes> {
        let mut writer = self.response(status);
        for (name, value) in headers {
            writer.header(name, value);
        }
        writer.finish().ok()
    }

    /// The answer to OPTIONS (§11.2): what this user agent can do.
    #[must_use]
    pub fn options(&self) -> Option<Bytes> {
        self.bare(StatusCode::OK, &capabilities())
    }
}

/// What §11.2 wants in the answer to OPTIONS.
fn capabilities() -> [(HeaderName, String); 5] {
    [
        (HeaderName::Allow, ALLOW.to_owned()),
        (HeaderName::Accept, ACCEPT.to_owned()),
        (HeaderName::AcceptEncoding, "identity".to_owned()),
        (HeaderName::AcceptLanguage, "en".to_owned()),
        (HeaderName::Supported, EXTENSIONS.join(", ")),
    ]
}

fn texts(values: Vec<std::borrow::Cow<'_, str>>) -> Vec<String> {
    values.into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Why a request is refused before it is looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The status to answer with.
    pub status: StatusCode,
    /// The headers that say what would have been right.
    pub headers: Vec<(HeaderName, String)>,
}

impl Objection {
    /// An objection without further headers.
    #[must_use]
    pub const fn bare(status: StatusCode) -> Self {
        Self { status, headers: Vec::new() }
    }

    fn with(status: StatusCode, name: HeaderName, value: &str) -> Self {
        Self { status, headers: vec![(name, value.to_owned())] }
    }
}

/// The methods that this user agent takes ([`ALLOW`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Understood {
    /// INVITE.
    Invite,
    /// ACK.
    Ack,
    /// CANCEL.
    Cancel,
    /// BYE.
    Bye,
    /// OPTIONS.
    Options,
    /// INFO: keys, by a body of [`INFO_TYPES`].
    Info,
    /// UPDATE.
    Update,
    /// PRACK: of a callee's reliable response.
    Prack,
    /// NOTIFY: of nothing, as we subscribe to nothing.
    Notify,
}

/// The extensions that a request may require of us (§8.2.2.3).
const EXTENSIONS: [&str; 1] = ["timer"];
/// And the first INVITE to a callee, whose provisional responses can be reliable.
const OF_A_CALLEE: [&str; 2] = ["timer", RELIABLE];

/// Inspects a request as RFC 3261 §8.2 orders it: syntax, method, Request-URI, required extensions, body.
///
/// # Errors
/// The status and headers to refuse it with.
pub fn inspect(request: &Request) -> Result<Understood, Objection> {
    inspect_for(request, &EXTENSIONS)
}

/// Inspects the first INVITE to a callee.
///
/// # Errors
/// The status and headers to refuse it with.
pub fn inspect_first(invite: &Request) -> Result<Understood, Objection> {
    inspect_for(invite, &OF_A_CALLEE)
}

fn inspect_for(request: &Request, extensions: &[&str]) -> Result<Understood, Objection> {
    let headers = request.headers();
    let readable = headers.vias().is_ok()
        && headers.cseq().is_ok_and(|cseq| cseq.method == *request.method()) // §8.1.1.5
        && headers.from().is_ok()
        && headers.call_id().is_ok();
    let ends = matches!(request.method(), Method::Ack | Method::Cancel | Method::Bye);
    if !readable || (!ends && request.uri().is_err()) {
        return Err(Objection::bare(StatusCode::BAD_REQUEST));
    }
    let understood = understand(request.method())?;
    match understood {
        // A BYE ends the call whatever it requires or carries: refusing it would leave one side talking.
        Understood::Ack | Understood::Cancel | Understood::Bye => return Ok(understood),
        Understood::Invite
        | Understood::Options
        | Understood::Info
        | Understood::Update
        | Understood::Prack
        | Understood::Notify => {}
    }
    if let Ok(Uri::Other { .. }) = request.uri() {
        return Err(Objection::bare(StatusCode::UNSUPPORTED_URI_SCHEME)); // §8.2.2.1
    }
    let mut unsupported = texts(headers.list(HeaderName::Require));
    unsupported.retain(|tag| !extensions.iter().any(|known| tag.eq_ignore_ascii_case(known)));
    if !unsupported.is_empty() {
        let tags = unsupported.join(", ");
        return Err(Objection::with(StatusCode::BAD_EXTENSION, HeaderName::Unsupported, &tags)); // §8.2.2.3
    }
    match understood {
        Understood::Invite | Understood::Update => inspect_body(request)?,
        Understood::Info => inspect_info(request)?,
        Understood::Ack
        | Understood::Cancel
        | Understood::Bye
        | Understood::Options
        | Understood::Prack
        | Understood::Notify => {}
    }
    Ok(understood)
}

/// §8.2.1: what it knows and does not take is 405, what it does not know 501 (§21.5.2).
fn understand(method: &Method) -> Result<Understood, Objection> {
    match method {
        Method::Invite => Ok(Understood::Invite),
        Method::Ack => Ok(Understood::Ack),
        Method::Cancel => Ok(Understood::Cancel),
        Method::Bye => Ok(Understood::Bye),
        Method::Options => Ok(Understood::Options),
        Method::Info => Ok(Understood::Info),
        Method::Update => Ok(Understood::Update),
        Method::Prack => Ok(Understood::Prack),
        Method::Notify => Ok(Understood::Notify),
        Method::Register | Method::Message | Method::Refer | Method::Subscribe | Method::Publish => {
            Err(Objection::with(StatusCode::METHOD_NOT_ALLOWED, HeaderName::Allow, ALLOW))
        }
        Method::Other(_) => Err(Objection::with(StatusCode::NOT_IMPLEMENTED, HeaderName::Allow, ALLOW)),
    }
}

/// §8.2.3: only SDP, alone or among others (RFC 5621), and not encoded. A body that its sender calls optional is passed over.
fn inspect_body(request: &Request) -> Result<(), Objection> {
    let headers = request.headers();
    if request.body().is_empty() || is_optional(request) {
        return Ok(());
    }
    if headers.list(HeaderName::ContentEncoding).iter().any(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Err(Objection::with(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            HeaderName::AcceptEncoding,
            "identity",
        ));
    }
    match multipart::part(headers, SDP) {
        Some(_) => Ok(()),
        None => Err(Objection::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, HeaderName::Accept, ACCEPT)),
    }
}

/// RFC 6086 §4.2.2: no Info Package was agreed on, so any that is named is a bad one. Without a package only
/// what is known of old is taken: keys.
fn inspect_info(request: &Request) -> Result<(), Objection> {
    let headers = request.headers();
    if headers.has(HeaderName::InfoPackage) {
        return Err(Objection::with(StatusCode::BAD_INFO_PACKAGE, HeaderName::RecvInfo, ""));
    }
    if request.body().is_empty() || is_optional(request) {
        return Ok(());
    }
    match headers.content_type() {
        Ok(Some(kind)) if INFO_TYPES.iter().any(|known| kind.is(known)) => Ok(()),
        Ok(_) | Err(_) => {
            let types = INFO_TYPES.join(", ");
            Err(Objection::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, HeaderName::Accept, &types))
        }
    }
}

fn is_optional(request: &Request) -> bool {
    request.headers().get(HeaderName::ContentDisposition).is_some_and(|disposition| {
        let mut params = disposition.split(';').skip(1).filter_map(|param| param.split_once('='));
        params.any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("handling") && value.trim().eq_ignore_ascii_case("optional")
        })
    })
}

/// The SDP body of a request, if there is one that [`inspect`] accepted.
#[must_use]
pub fn sdp_of(request: &Request) -> Option<Bytes> {
    if request.body().is_empty() || is_optional(request) {
        return None;
    }
    match request.headers().content_type() {
        Ok(None) => Some(request.body()), // an ACK that forgets to say so
        Ok(Some(_)) | Err(_) => multipart::part(request.headers(), SDP),
    }
}

/// The key of a request's server transaction (§17.2.3). A branch without the magic cookie may repeat
/// itself, so the other marks of the request join it.
#[must_use]
pub fn key_of(request: &Request) -> Option<Key> {
    let headers = request.headers();
    let via: Via = headers.via().ok()?;
    let sent_by = match via.port {
        Some(port) => format!("{}:{port}", via.host),
        None => via.host.to_string(),
    };
    let branch = match via.branch() {
        Some(branch) if branch.starts_with(MAGIC_COOKIE) => branch.to_owned(),
        old => {
            let from = headers.from().ok()?;
            let cseq = headers.cseq().ok()?.number;
            let call_id = headers.call_id().ok()?;
            format!("{}|{}|{cseq}|{call_id}", old.unwrap_or(""), from.tag().unwrap_or(""))
        }
    };
    Some(Key { branch, sent_by })
}

/// Ends a dialog-making response with its body.
pub(super) fn finish(writer: Writer, body: Option<&Bytes>) -> Option<Bytes> {
    local::finish(writer, body).ok()
}
