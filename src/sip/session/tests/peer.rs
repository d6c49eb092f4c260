//! The peer's messages of a trace, made from plain text.

use bytes::Bytes;

use super::trace::Trace;

/// The value of the first header line of this name.
pub(crate) fn line(text: &str, name: &str) -> String {
    let prefix = format!("{name}: ");
    let found = text.split("\r\n").find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("no {name} in\n{text}")).to_owned()
}

/// A message of the peer's that is not yet bytes.
pub(crate) trait Written {
    fn bytes(self, trace: &mut Trace) -> Bytes;
}

/// A response of the peer's to the machine's latest request of a method.
pub(crate) struct Answering {
    method: &'static str,
    status: u16,
    tag: Option<&'static str>,
    headers: Vec<String>,
    body: &'static str,
    contact: Option<&'static str>,
}

/// `response("INVITE", 180)`
pub(crate) fn response(method: &'static str, status: u16) -> Answering {
    let contact = (status < 300 && method == "INVITE").then_some("<sip:peer@198.51.100.7>");
    Answering { method, status, tag: None, headers: Vec::new(), body: "", contact }
}

impl Answering {
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn header(mut self, header: &str) -> Self {
        self.headers.push(format!("{header}\r\n"));
        self
    }

    pub(crate) fn contact(mut self, contact: Option<&'static str>) -> Self {
        self.contact = contact;
        self
    }
}

impl Written for Answering {
    fn bytes(self, trace: &mut Trace) -> Bytes {
        // CANCEL shares the branch of its INVITE; a BYE goes to the dialog of its tag.
        let request = trace.request(self.method, self.tag);
        let mut to = line(&request, "To");
        if let Some(tag) = self.tag.filter(|_| !to.contains(";tag=")) {
            to.push_str(&format!(";tag={tag}"));
        }
        let contact = self.contact.map_or(String::new(), |contact| format!("Contact: {contact}\r\n"));
        let kind = if self.body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        Bytes::from(format!(
            "SIP/2.0 {} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             {contact}{}{kind}Content-Length: {}\r\n\r\n{}",
            self.status,
            line(&request, "Via"),
            line(&request, "From"),
            line(&request, "Call-ID"),
            line(&request, "CSeq"),
            self.headers.concat(),
            self.body.len(),
            self.body
        ))
    }
}

/// A request of the peer's.
#[derive(Clone)]
pub(crate) struct Asked {
    method: &'static str,
    cseq: u32,
    tag: &'static str,
    to: Option<&'static str>,
    call_id: &'static str,
    headers: Vec<String>,
    body: &'static str,
    body_type: &'static str,
    branch: Option<u32>,
}

/// `request("BYE", 7)`: from the peer with tag `b`, to the machine's own tag, in a new transaction.
pub(crate) fn request(method: &'static str, cseq: u32) -> Asked {
    Asked {
        method,
        cseq,
        tag: "b",
        to: None,
        call_id: "0123456789abcdef@192.0.2.1",
        headers: Vec::new(),
        body: "",
        body_type: "application/sdp",
        branch: None,
    }
}

impl Asked {
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// The whole To, instead of the machine's own.
    pub(crate) fn to(mut self, to: &'static str) -> Self {
        self.to = Some(to);
        self
    }

    pub(crate) fn call_id(mut self, call_id: &'static str) -> Self {
        self.call_id = call_id;
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn body_type(mut self, body_type: &'static str) -> Self {
        self.body_type = body_type;
        self
    }

    pub(crate) fn header(mut self, header: &str) -> Self {
        self.headers.push(format!("{header}\r\n"));
        self
    }

    /// In the transaction of this number: the first of a trace is 1.
    pub(crate) fn branch(mut self, branch: u32) -> Self {
        self.branch = Some(branch);
        self
    }

    pub(super) fn write(&self, branch: u32, us: &str) -> Bytes {
        let branch = self.branch.unwrap_or(branch);
        let kind = match self.body {
            "" => String::new(),
            _ => format!("Content-Type: {}\r\n", self.body_type),
        };
        let contact = if self.method == "INVITE" { "Contact: <sip:moved@198.51.100.8>\r\n" } else { "" };
        Bytes::from(format!(
            "{} sip:0123456789abcdef@192.0.2.1:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKpeer{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+254711000001@198.51.100.7>;tag={}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {} {}\r\n{contact}{}{kind}Content-Length: {}\r\n\r\n{}",
            self.method,
            self.tag,
            self.to.unwrap_or(us),
            self.call_id,
            self.cseq,
            self.method,
            self.headers.concat(),
            self.body.len(),
            self.body
        ))
    }
}

impl Written for Asked {
    fn bytes(self, trace: &mut Trace) -> Bytes {
        trace.branches += 1;
        self.write(trace.branches, &trace.our_address())
    }
}
