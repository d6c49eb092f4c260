//! Settings as a person writes them.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::outcome::Disposition;
use crate::sdp::Codec;

fn read_of(text: &str) -> Settings {
    Settings::parse("baton.toml", text).unwrap()
}

fn wrong(text: &str) -> String {
    Settings::parse("baton.toml", text).unwrap_err().to_string()
}

#[test]
fn without_a_file_one_address_can_be_called() {
    let settings = Settings::parse("empty.toml", "").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!((settings.media.ports.first, settings.media.ports.last), (16_384, 32_767));
    assert_eq!(settings.media.ports.pairs(), 8_192);
    assert!(settings.sip.user_agent.starts_with("baton/"));
    let trunk = Trunk::direct("192.0.2.1:5060".parse().unwrap());
    assert_eq!((trunk.codecs, trunk.ring_timeout), (vec![Codec::Pcmu, Codec::Pcma], Duration::from_secs(35)));
}

#[test]
fn the_example_holds_every_setting_and_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/baton.toml");
    let settings = Settings::load(&path).unwrap();
    assert_eq!(settings.default_trunk.as_deref(), Some("mno_a"));
    assert_eq!(settings.trunks["mno_b"].codecs, [Codec::Pcma]);
    assert_eq!(settings.trunks["mno_a"].ring_timeout, Duration::from_secs(40));
    // Its dialplan is there, and needs no other trunks.
    let dialplan = std::fs::read(settings.dialplan.unwrap()).unwrap();
    let (dialplan, _) = crate::dialplan::Dialplan::load("kenya.xml", &dialplan).unwrap();
    let trunks: Vec<(&str, bool)> =
        settings.trunks.iter().map(|(name, trunk)| (name.as_str(), trunk.address.is_ipv6())).collect();
    assert_eq!(dialplan.check_trunks(&trunks), []);
    assert!(settings.journal.dir.unwrap().is_absolute());
    assert_eq!(settings.speech.voices["sw"], "sw");
    assert_eq!(settings.recordings.keep, Some(Duration::from_secs(180 * 86_400)));
    assert!(settings.recordings.dir.is_absolute());
    // Every key that this program knows stands in it, at least as a comment.
    let text = std::fs::read_to_string(&path).unwrap();
    for section in [
        "",
        "[sip]",
        "[media]",
        "[trunks.a]",
        "[data]",
        "[http]",
        "[drain]",
        "[journal]",
        "[speech]",
        "[prompts]",
        "[recordings]",
        "[outcomes]",
        "[cluster]",
        "[cluster.mirror]",
        "[cluster.engine]",
        "[limits]",
    ] {
        let told = wrong(&format!("{section}\nunheard_of_key = 1\n"));
        let known = told.split_once("known here: ").unwrap().1.trim_end_matches(')').to_owned();
        for key in known.split(", ") {
            let stands = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']);
                [format!("{key} ="), format!("[{key}")]
                    .into_iter()
                    .chain(["speech", "http", "cluster"].map(|above| format!("[{above}.{key}]")))
                    .any(|at| line.starts_with(&at))
            };
            assert!(text.lines().any(stands), "docs/baton.toml lacks {key} of {section}");
            let reference = include_str!("../../docs/settings.md");
            let described = [
                format!("| `{key}` |"),
                format!("`[{key}"),
                format!("`[speech.{key}]`"),
                format!("`[http.{key}]`"),
                format!("`[cluster.{key}]`"),
            ];
            assert!(
                described.iter().any(|at| reference.contains(at)),
                "docs/settings.md lacks {key} of {section}"
            );
        }
    }
}

#[test]
fn an_unknown_key_is_refused_where_it_stands_with_what_was_meant() {
    assert_eq!(
        wrong(
            "[sip]\nlisten = \"0.0.0.0:5060\"\n\n[trunks.a]\naddress = \"192.0.2.1\"\nring_timout = \"35s\"\n"
        ),
        "baton.toml:6:1: error: there is no setting `ring_timout` here (did you mean `ring_timeout`?)"
    );
    assert_eq!(
        wrong("[meida]\n"),
        "baton.toml:1:2: error: there is no setting `meida` here (did you mean `media`?)"
    );
    let told = wrong("[journal]\nfsync = false\n");
    assert_eq!(
        told,
        "baton.toml:2:1: error: there is no setting `fsync` here (known here: dir, segment, reserve)"
    );
}

#[test]
fn units_are_asked_for_and_bounds_are_told() {
    for (text, told) in [
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nring_timeout = 35",
            "3:16: error: 35 has no unit (write it as \"35s\")",
        ),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nring_timeout = \"35\"",
            "3:16: error: \"35\" is no duration (such as \"35s\")",
        ),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nring_timeout = \"1h\"",
            "\"1h\" is out of bounds (from 1s to 3m)",
        ),
        ("[limits]\nprompt_file = 5000000", "2:15: error: 5000000 has no unit (write it as \"64MiB\")"),
        ("[limits]\nprompts = \"5 cows\"", "\"5 cows\" is no size"),
        ("[limits]\nprompts = \"0MB\"", "\"0MB\" is no size"),
        ("[journal]\nsegment = \"3kB\"", "the size of a journal file is out of bounds (from 1MiB to 1GiB)"),
        ("[journal]\nreserve = \"0MB\"", "2:11: error: \"0MB\" is no size"),
        ("[journal]\nreserve = \"9kB\"", "the journal's reserve is out of bounds (from 1MiB to 64GiB)"),
        ("[limits]\ncalls = 0", "2:9: error: 0 is no number of calls (from 1 to 100000)"),
        ("[media]\nports = \"16385-32767\"", "is no range of RTP ports"),
        ("[media]\nports = \"20000\"", "is no range of RTP ports"),
        ("[media]\naddress = [\"192.0.2.1\", \"192.0.2.2\"]", "two media addresses of one family"),
        ("[limits]\nconnections = 3", "3 is no number of connections (from 4 to 10000)"),
        ("[sip]\nstrangers = \"greet\"", "(\"drop\" or \"answer\")"),
        ("[sip]\nlisten = []", "0 addresses to listen on (from 1 to 16)"),
        ("[sip]\nlisten = [\"0.0.0.0:5060\", \"0.0.0.0:5060\"]", "stands here twice"),
    ] {
        let error = wrong(text);
        assert!(error.contains(told), "{error}\ndoes not say\n{told}");
    }
    let settings = Settings::parse("", "[limits]\nprompt = \"1m 30s\"\nprompts = \"2 GiB\"").unwrap();
    assert_eq!(settings.limits.prompt, Duration::from_secs(90));
    assert_eq!(settings.limits.prompts, 2 << 30);
}

#[test]
fn a_trunk_is_an_address_that_can_be_called() {
    let settings = Settings::parse("", "[trunks.a]\naddress = \"192.0.2.1\"").unwrap();
    assert_eq!(settings.trunks["a"], Trunk::direct("192.0.2.1:5060".parse().unwrap()));
    assert_eq!(settings.default_trunk.as_deref(), Some("a"), "the only trunk is the default one");
    for (text, told) in [
        ("[trunks.a]\n", "1:1: error: missing field `address`"),
        ("[trunks.a]\naddress = \"sip.example.org\"", "2:11: error: \"sip.example.org\" is no IP address"),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\ntransport = \"tls\"",
            "\"tls\" is no transport of ours (\"udp\" or \"tcp\")",
        ),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nsources = [\"example.org\"]",
            "\"example.org\" is no address and no range",
        ),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nrequests = [\"info\"]",
            "\"info\" is no method that Baton knows",
        ),
        ("[trunks.a]\naddress = \"192.0.2.1\"\nadvertise = \"::\"", "no address that a trunk could reach"),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nadvertise = \"2001:db8::9\"",
            "1:9: error: trunk `a` is at an IPv4 address, and `2001:db8::9` is none",
        ),
        (
            "[sip]\nlisten = \"0.0.0.0:5060\"\n[trunks.a]\naddress = \"2001:db8::1\"",
            "trunk `a` is at an IPv6 address, and [sip] listen has none (add \"[::]:5060\" to it)",
        ),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\nlocal = \"192.0.2.9\"",
            "is to be called from 192.0.2.9, where nobody listens (add \"192.0.2.9:5060\" to [sip] listen)",
        ),
        ("[trunks.a]\naddress = \"0.0.0.0:5060\"", "no request can be sent"),
        ("[trunks.\"a b\"]\naddress = \"192.0.2.1\"", "1:9: error: `a b` is no name for a trunk"),
        (
            "[trunks.a]\naddress = \"192.0.2.1\"\ncodecs = [\"PCMU\", \"G729\"]",
            "`G729` is no codec of ours (PCMU, PCMA)",
        ),
        ("[trunks.a]\naddress = \"192.0.2.1\"\ncodecs = []", "a call needs a codec"),
        ("[trunks.a]\naddress = \"192.0.2.1\"\nfrom = \"sip:a@b\\r\\nTo: x\"", "cannot stand in a header"),
        ("[trunks.a]\naddress = \"192.0.2.1\"\nfrom = \"0712345678\"", "is no SIP address"),
        ("[trunks.a]\naddress = \"192.0.2.1\"\ncaller_id = \"private\"", "is no number"),
    ] {
        let error = wrong(text);
        assert!(error.contains(told), "{error}\ndoes not say\n{told}");
    }
}

#[test]
fn the_default_trunk_must_be_there() {
    let two = "[trunks.mno_a]\naddress = \"192.0.2.1\"\n[trunks.mno_b]\naddress = \"192.0.2.2\"\n";
    assert_eq!(Settings::parse("", two).unwrap().default_trunk, None);
    assert_eq!(
        wrong(&format!("default_trunk = \"mno-a\"\n{two}")),
        "baton.toml:1:17: error: `default_trunk` names `mno-a`, and there is no such trunk (did you mean `mno_a`?)"
    );
}

#[test]
fn a_broken_file_is_told_with_its_place() {
    let told = wrong("[sip]\nlisten = \n");
    assert!(told.starts_with("baton.toml:2:"), "{told}");
    assert!(!told.contains('\n'), "{told}");
    let told = wrong("[sip]\nlisten = \"5060\"\n");
    assert_eq!(
        told,
        "baton.toml:2:10: error: \"5060\" is no address with a port (such as \"0.0.0.0:5060\", \"192.0.2.10:5060\" or \"[2001:db8::10]:5060\")"
    );
    let told = wrong("[speech]\ncommand = [\"flite\", \"-o\", \"/dev/stdout\"]\n");
    assert!(told.contains("2:11: error: the command never gets the text"), "{told}");
    let error = Settings::load(Path::new("/nonexistent/baton.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the settings /nonexistent/baton.toml: "), "{error}");
}

#[test]
fn paths_are_taken_from_the_directory_of_the_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("baton.toml");
    std::fs::write(&path, "dialplan = \"plan.xml\"\n[journal]\ndir = \"/var/lib/baton\"\n").unwrap();
    let settings = Settings::load(&path).unwrap();
    assert_eq!(settings.dialplan, Some(dir.path().join("plan.xml")));
    assert_eq!(settings.journal.dir, Some("/var/lib/baton".into()));
}

#[test]
fn we_listen_where_the_trunks_are_unless_it_is_said() {
    let listens_at = |text: &str| {
        let addresses = Settings::parse("t", text).unwrap().listens_at();
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let (v4, v6) = ("[trunks.a]\naddress = \"192.0.2.1\"\n", "[trunks.b]\naddress = \"[2001:db8::1]\"\n");
    assert_eq!(listens_at(""), "0.0.0.0:0");
    assert_eq!(listens_at(v4), "0.0.0.0:0");
    assert_eq!(listens_at(v6), "[::]:0");
    assert_eq!(listens_at(&format!("{v4}{v6}")), "0.0.0.0:0 [::]:0");
    let said = "[sip]\nlisten = [\"192.0.2.10:5060\", \"[2001:db8::10]:5060\"]\n";
    assert_eq!(listens_at(&format!("{said}{v4}{v6}")), "192.0.2.10:5060 [2001:db8::10]:5060");
}

#[test]
fn what_a_trunk_listens_to() {
    use crate::call::OnTone;
    use crate::interview::Method;
    let trunk = |keys: &str| {
        let settings = Settings::parse("b.toml", &format!("[trunks.a]\naddress = \"192.0.2.1\"\n{keys}\n"));
        settings.unwrap().trunks.remove("a").unwrap()
    };
    let usual = trunk("");
    assert_eq!(usual.dtmf, [Method::Rfc4733, Method::SipInfo, Method::InBand]);
    assert_eq!((usual.on_tone, usual.media_timeout), (OnTone::End, Duration::from_secs(30)));
    let other = trunk("dtmf = [\"inband\"]\non_tone = \"note\"\nmedia_timeout = \"never\"");
    assert_eq!(other.dtmf, [Method::InBand]);
    assert_eq!((other.on_tone, other.media_timeout), (OnTone::Note, Duration::ZERO));
    for (keys, told) in [
        ("dtmf = [\"rfc2833\"]", "`rfc2833` is no way for keys (rfc4733, info, inband)"),
        ("dtmf = [\"info\", \"info\"]", "`info` stands here twice"),
        ("dtmf = []", "without keys nobody can answer"),
        ("on_tone = \"hang-up\"", "`hang-up` says nothing of tones (end, note, ignore)"),
        ("media_timeout = \"1h\"", "\"1h\" is out of bounds"),
        ("media_timeout = 30", "30"),
    ] {
        let text = wrong(&format!("[trunks.a]\naddress = \"192.0.2.1\"\n{keys}\n"));
        assert!(text.contains(told) && text.starts_with("baton.toml:3:"), "{text}");
    }
}

#[test]
fn a_trunk_says_how_far_it_is_followed_and_how_long_a_session_lasts() {
    let trunk = |keys: &str| format!("[trunks.mno]\naddress = \"192.0.2.1\"\n{keys}");
    let of = |keys: &str| Settings::parse("baton.toml", &trunk(keys)).unwrap().trunks["mno"].clone();
    assert_eq!((of("").redirects, of("").session_expires), (5, Some(Duration::from_secs(1_800))));
    assert_eq!(of("redirects = 0").redirects, 0);
    assert_eq!(of("session_expires = \"off\"").session_expires, None);
    assert_eq!(of("session_expires = \"90s\"").session_expires, Some(Duration::from_secs(90)));
    let pings = |keys: &str| of(keys).ping_interval.map(|interval| interval.as_secs());
    assert_eq!((pings(""), pings("ping_interval = \"2m\"")), (Some(30), Some(120)));
    assert_eq!(pings("ping_interval = \"off\""), None);
    for (keys, said) in [
        ("ping_interval = \"11m\"", "from 1s to 10m"),
        ("ping_interval = \"500ms\"", "out of bounds"),
        ("redirects = 21", "from 0 to 20"),
        ("session_expires = \"60s\"", "out of bounds"),
        ("session_expires = 1800", "has no unit"),
    ] {
        let told = wrong(&trunk(keys));
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_password_stands_elsewhere_and_belongs_to_a_name() {
    let trunk = |keys: &str| format!("[trunks.mno]\naddress = \"192.0.2.1\"\n{keys}");
    let settings =
        Settings::parse("baton.toml", &trunk("username = \"b\"\npassword_file = \"p\"\n")).unwrap();
    assert_eq!(settings.trunks["mno"].password_file.as_deref(), Some(Path::new("p")));
    for (keys, said) in [
        ("username = \"b\"", "trunk `mno` has a username and no password"),
        ("password_env = \"P\"", "add `username`"),
        ("username = \"b\"\npassword_env = \"P\"\npassword_file = \"p\"", "not both"),
        ("username = \"\"", "1 to 200 bytes"),
    ] {
        let told = wrong(&trunk(keys));
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn how_long_recordings_are_kept() {
    let recordings = |text: &str| Settings::parse("a.toml", text).unwrap().recordings;
    assert_eq!(recordings("").dir, Path::new("recordings"));
    let told = recordings("[recordings]\nformat = \"mulaw\"\nkeep_days = 30\nmax_size = \"10GiB\"\n");
    assert_eq!(told.format, RecordingFormat::Mulaw);
    assert_eq!((told.keep, told.max_size), (Some(Duration::from_secs(30 * 86_400)), Some(10 << 30)));
    for (line, what) in [
        ("keep_days = 0", "0 days are out of bounds (from 1 to 36500"),
        ("max_size = 7", "7 has no unit"),
        ("format = \"mp3\"", "mp3"),
        ("dir = \"\"", "the path is empty"),
    ] {
        let told = wrong(&format!("[recordings]\n{line}\n"));
        assert!(told.starts_with("baton.toml:2:") && told.contains(what), "{told}");
    }
}

#[test]
fn what_refusals_mean_is_read_and_mistakes_are_told() {
    let of = |text: &str| format!("[trunks.a]\naddress = \"192.0.2.1\"\n{text}\n");
    let read = read_of(&of("outcomes = { 480 = \"temporarily_out\", q850-21 = \"call_blocked\" }"));
    let outcomes = &read.trunks["a"].outcomes;
    assert_eq!(outcomes.statuses[&480], Disposition::TemporarilyOut);
    assert_eq!(outcomes.causes[&21], Disposition::CallBlocked);
    for (text, told) in [
        ("outcomes = { 200 = \"busy\" }", "`200` is no refusal (a SIP status from 300 to 699"),
        ("outcomes = { q850-128 = \"busy\" }", "`q850-128` is no refusal"),
        ("outcomes = { 480 = \"bussy\" }", "`bussy` is no outcome here (did you mean `busy`?)"),
        ("outcomes = { 480 = \"complete\" }", "`complete` is no outcome here (refusal, trunk_fault, busy"),
        ("outcomes = { 480 = \"busy\", 0480 = \"busy\" }", "`480` stands here twice"),
    ] {
        let error = wrong(&of(text));
        assert!(error.starts_with("baton.toml:3:") && error.contains(told), "{error}");
    }
    let early = "[outcomes]\nhang_up_before_consent = ";
    assert_eq!(read_of(&format!("{early}\"refusal\"")).outcomes.hang_up_before_consent, Disposition::Refusal);
    assert!(
        wrong(&format!("{early}\"busy\""))
            .contains("2:26: error: `busy` is no outcome here (break_off, refusal)")
    );
}
