//! The torture messages of RFC 4475 and RFC 5118 byte by byte, as the RFCs print them, and what this user agent
//! makes of each: what it answers as a node without a call of that name, or why it drops it.
//!
//! RFC 4475 appendix A gives its messages as an archive, so that nothing is lost in print; RFC 5118 has none, and
//! its messages stand here with the line ends of the wire.

use bytes::Bytes;

use super::super::*;
use crate::sip::stray;

macro_rules! files {
    ($rfc:literal: $($name:literal)*) => {
        [$(($name, include_bytes!(concat!($rfc, "/", $name, ".dat")).as_slice())),*]
    };
}

const RFC_4475: [(&str, &[u8]); 49] = files!["rfc4475":
    "badaspec" "badbranch" "baddate" "baddn" "badinv01" "badvers" "bcast" "bext01" "bigcode" "clerr" "cparam01"
    "cparam02" "dblreq" "esc01" "esc02" "escnull" "escruri" "insuf" "intmeth" "inv2543" "invut" "longreq" "ltgtruri"
    "lwsdisp" "lwsruri" "lwsstart" "mcl01" "mismatch01" "mismatch02" "mpart01" "multi01" "ncl" "noreason" "novelsc"
    "quotbal" "regaut01" "regbadct" "regescrt" "scalar02" "scalarlg" "sdp01" "semiuri" "transports" "trws" "unkscm"
    "unksm2" "unreason" "wsinv" "zeromf"];

const RFC_5118: [(&str, &[u8]); 12] = files!["rfc5118":
    "ipv4-mapped-ipv6" "ipv6-bad" "ipv6-bug-abnf-3-colons" "ipv6-correct-abnf-2-colons" "ipv6-good" "ipv6-in-sdp"
    "mult-ip-in-header" "mult-ip-in-sdp" "port-ambiguous" "port-unambiguous" "via-received-param-no-delim"
    "via-received-param-with-delim"];

/// What we make of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// A request that gets this status.
    Answered(u16),
    /// A response that is read.
    Read(u16),
    /// Dropped and counted by this reason.
    Dropped(&'static str),
}

fn made(bytes: &'static [u8]) -> Made {
    let bytes = Bytes::from_static(bytes);
    let from = "192.0.2.200:5060".parse().unwrap();
    let answered = |reply: transaction::Transmit| {
        let Message::Response(response) = parse(reply.bytes).unwrap() else { panic!("a response") };
        Made::Answered(response.status().as_u16())
    };
    match parse(bytes.clone()) {
        Ok(Message::Request(request)) => {
            answered(stray::reply(&request, from, "").expect("no ACK is among them"))
        }
        Ok(Message::Response(response)) => Made::Read(response.status().as_u16()),
        Err(error) => match stray::reject(&bytes, error, from, "") {
            Some(reply) => answered(reply),
            None => Made::Dropped(error.reason()),
        },
    }
}

#[track_caller]
fn check(files: &[(&str, &'static [u8])], expected: &[(&str, Made)]) {
    assert_eq!(files.len(), expected.len());
    let wrong: Vec<_> = expected
        .iter()
        .filter_map(|(name, expected)| {
            let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
            let made = made(bytes);
            (made != *expected).then(|| format!("{name}: {made:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_messages_of_rfc_4475() {
    use Made::{Answered, Dropped, Read};
    check(
        &RFC_4475,
        &[
            // §3.1.1: valid. We are called by nobody: 403; take no REGISTER or MESSAGE: 405; have no such dialog: 481.
            ("wsinv", Answered(481)),
            ("intmeth", Answered(501)),
            ("esc01", Answered(403)),
            ("escnull", Answered(405)),
            ("esc02", Answered(501)),
            ("lwsdisp", Answered(200)),
            ("longreq", Answered(403)),
            ("dblreq", Answered(405)),
            ("semiuri", Answered(200)),
            ("transports", Answered(200)),
            ("mpart01", Answered(405)),
            ("unreason", Read(200)),
            ("noreason", Read(100)),
            // §3.1.2: invalid.
            ("badinv01", Answered(400)),
            ("clerr", Answered(400)),
            ("ncl", Answered(400)),
            ("scalar02", Answered(400)),
            ("scalarlg", Read(503)), // its CSeq belongs to no request of ours
            ("quotbal", Answered(400)),
            ("ltgtruri", Answered(400)),
            ("lwsruri", Answered(400)),
            ("lwsstart", Answered(400)),
            ("trws", Answered(400)),
            ("escruri", Answered(403)), // only a proxy would act on it; a user agent refuses the INVITE all the same
            ("baddate", Answered(403)), // §3.1.2.12: the Date may be passed over
            ("regbadct", Answered(405)),
            ("badaspec", Answered(200)), // §3.1.2.14: what is meant is clear
            ("baddn", Answered(400)),
            ("badvers", Answered(505)),
            ("mismatch01", Answered(400)),
            ("mismatch02", Answered(400)),
            ("bigcode", Dropped("status")),
            // §3.2: the transaction layer
            ("badbranch", Answered(200)),
            // §3.3: the application layer
            ("insuf", Answered(400)),
            ("unkscm", Answered(416)),
            ("novelsc", Answered(416)),
            ("unksm2", Answered(405)),
            ("bext01", Answered(420)),
            ("invut", Answered(415)),
            ("regaut01", Answered(405)),
            ("multi01", Answered(400)),
            ("mcl01", Answered(400)),
            ("bcast", Read(200)),
            ("zeromf", Answered(200)), // §3.3.11: a user agent may answer it
            ("cparam01", Answered(405)),
            ("cparam02", Answered(405)),
            ("regescrt", Answered(405)),
            ("sdp01", Answered(403)), // §3.3.9 would have 406, if we took the call
            // §3.4: an element of RFC 2543
            ("inv2543", Answered(403)),
        ],
    );
}

#[test]
fn the_messages_of_rfc_5118() {
    use Made::Answered;
    check(
        &RFC_5118,
        &[
            ("ipv6-good", Answered(405)),
            ("ipv6-bad", Answered(400)),
            ("port-ambiguous", Answered(405)),
            ("port-unambiguous", Answered(405)),
            ("via-received-param-with-delim", Answered(481)),
            ("via-received-param-no-delim", Answered(200)),
            ("ipv6-in-sdp", Answered(403)),
            ("mult-ip-in-header", Answered(481)),
            ("mult-ip-in-sdp", Answered(403)),
            ("ipv4-mapped-ipv6", Answered(403)),
            ("ipv6-bug-abnf-3-colons", Answered(200)), // §4.10: what RFC 3261's grammar once allowed is understood
            ("ipv6-correct-abnf-2-colons", Answered(200)),
        ],
    );
}
