//! Offers and answers as equipment writes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::*;

fn local() -> LocalMedia {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
    LocalMedia::new(Origin { session_id: 42, version: 1, address }, address, 16_400)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A description with this media part, as of a peer at 198.51.100.7.
fn sdp(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{media}")
}

fn agreed(media: &str) -> Negotiated {
    negotiate(&local(), sdp(media).as_bytes()).unwrap()
}

const ASTERISK: &str = "v=0\r\no=- 42 3 IN IP4 198.51.100.7\r\ns=Asterisk\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    m=audio 14352 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";

const FREESWITCH: &str = "v=0\r\no=FreeSWITCH 1795388400 1795388401 IN IP4 198.51.100.7\r\ns=FreeSWITCH\r\n\
    c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 24780 RTP/AVP 8 101 13\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:13 CN/8000\r\na=silenceSupp:off - - - -\r\n\
    a=ptime:20\r\na=rtcp:24781 IN IP4 198.51.100.7\r\n";

const RTPENGINE: &str = "v=0\r\no=root 1821712382 1821712382 IN IP4 203.0.113.5\r\ns=Asterisk PBX\r\n\
    c=IN IP4 203.0.113.5\r\nt=0 0\r\nm=audio 30012 RTP/AVP 0 8 101\r\na=maxptime:150\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=sendrecv\r\na=rtcp:30013\r\na=ptime:20\r\n";

const LINPHONE: &str = "v=0\r\no=jehan 2463 1407 IN IP4 198.51.100.7\r\ns=Talk\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\na=record:off\r\n\
    m=audio 7078 RTP/AVP 96 97 98 0 8 18 101 99 100\r\na=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 useinbandfec=1\r\na=rtpmap:97 speex/16000\r\na=fmtp:97 vbr=on\r\na=rtpmap:98 speex/8000\r\n\
    a=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/16000\r\n\
    a=rtpmap:100 telephone-event/8000\r\na=rtcp:51277\r\n\
    m=video 9078 RTP/AVP 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n";

const BARESIP: &str = "v=0\r\no=- 3821542811 2098183652 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\n\
    t=0 0\r\na=tool:baresip 1.0.0\r\nm=audio 20836 RTP/AVP 8 101\r\nb=AS:125\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:20837\r\na=sendrecv\r\na=label:1\r\n\
    a=rtcp-rsize\r\na=ssrc:3182983771 cname:sip:a@198.51.100.7\r\na=ptime:20\r\n";

const CISCO: &str = "v=0\r\no=CiscoSystemsSIP-GW-UserAgent 8326 5208 IN IP4 198.51.100.7\r\ns=SIP Call\r\n\
    c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 17030 RTP/AVP 0 100\r\nc=IN IP4 198.51.100.8\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:100 X-NSE/8000\r\na=fmtp:100 192-194\r\na=ptime:20\r\n";

#[test]
fn our_offer_is_what_an_engineer_expects() {
    assert_eq!(
        text(&offer(&local())),
        "v=0\r\no=- 42 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 16400 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn the_offer_of_another_node_keeps_the_origin_but_for_its_version() {
    let mut taken_over = local();
    taken_over.origin = taken_over.origin.next();
    taken_over.address = "192.0.2.11".parse().unwrap();
    let body = offer(&taken_over);
    let lines = text(&body).lines().collect::<Vec<_>>();
    assert_eq!(lines[1], "o=- 42 2 IN IP4 192.0.2.10");
    assert_eq!(lines[3], "c=IN IP4 192.0.2.11");
}

#[test]
fn answers_of_asterisk_and_rtpengine() {
    let negotiated = negotiate(&local(), ASTERISK.as_bytes()).unwrap();
    let expected = Negotiated {
        remote: at("198.51.100.7:14352"),
        remote_rtcp: at("198.51.100.7:14353"),
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        send_event: Some(101),
        receive_events: vec![EventFormat { payload_type: 101, clock_hz: 8_000 }],
        ptime_ms: 20,
        direction: Direction::SendRecv,
        refused: Vec::new(),
    };
    assert_eq!(negotiated, expected);
    let rtpengine = negotiate(&local(), RTPENGINE.as_bytes()).unwrap();
    assert_eq!((rtpengine.remote, rtpengine.remote_rtcp), (at("203.0.113.5:30012"), at("203.0.113.5:30013")));
}

#[test]
fn answers_of_freeswitch_and_baresip_choose_pcma() {
    for (body, remote) in [(FREESWITCH, "198.51.100.7:24780"), (BARESIP, "198.51.100.7:20836")] {
        let negotiated = negotiate(&local(), body.as_bytes()).unwrap();
        assert_eq!((negotiated.codec, negotiated.send_payload_type), (Codec::Pcma, 8));
        assert_eq!(negotiated.remote, at(remote));
        assert_eq!(negotiated.send_event, Some(101));
        assert_eq!(negotiated.codec_of(0), Some(Codec::Pcmu), "it may still send what we offered");
        assert_eq!(negotiated.codec_of(13), None);
    }
}

#[test]
fn a_gateway_without_events_has_its_media_address_at_the_section() {
    let negotiated = negotiate(&local(), CISCO.as_bytes()).unwrap();
    assert_eq!(negotiated.remote, at("198.51.100.8:17030"));
    assert_eq!(negotiated.send_event, None);
    assert_eq!(negotiated.event_clock_hz(101), Some(8_000), "keys that come anyway are heard");
}

#[test]
fn an_offer_of_a_softphone_is_answered_in_its_order_with_its_numbers() {
    let (body, negotiated) = answer(&local(), LINPHONE.as_bytes()).unwrap();
    assert_eq!(
        text(&body),
        "v=0\r\no=- 42 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 16400 RTP/AVP 0 8 100\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:100 telephone-event/8000\r\na=fmtp:100 0-15\r\na=ptime:20\r\na=sendrecv\r\n\
         m=video 0 RTP/AVP 96\r\n"
    );
    assert_eq!(negotiated.send_event, Some(100));
    assert_eq!(negotiated.event_clock_hz(99), Some(16_000));
    assert_eq!(negotiated.remote_rtcp, at("198.51.100.7:51277"));

    let mut next = local();
    next.refused = negotiated.refused;
    let next = offer(&next);
    assert!(text(&next).ends_with("m=video 0 RTP/AVP 96\r\n"), "the section keeps its place: {next:?}");
}

#[test]
fn a_video_section_before_the_audio_keeps_its_place() {
    let offered = sdp(
        "m=video 9078 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=audio 7078 RTP/AVP 8\r\nm=image 0 udptl t38\r\n",
    );
    let (body, negotiated) = answer(&local(), offered.as_bytes()).unwrap();
    let sections = |body: &[u8]| {
        text(body).lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sections(&body), ["m=video 0 RTP/AVP 96", "m=audio 16400 RTP/AVP 8", "m=image 0 udptl t38"]);
    let mut next = local();
    next.refused = negotiated.refused;
    assert_eq!(
        sections(&offer(&next)),
        ["m=video 0 RTP/AVP 96", "m=audio 16400 RTP/AVP 0 8 101", "m=image 0 udptl t38"]
    );
}

#[test]
fn payload_numbers_may_differ_by_direction() {
    let negotiated = agreed(
        "m=audio 4000 RTP/AVP 97 96\r\na=rtpmap:97 pcma/8000/1\r\na=rtpmap:96 Telephone-Event/8000\r\n",
    );
    assert_eq!((negotiated.codec, negotiated.send_payload_type), (Codec::Pcma, 97));
    assert_eq!(negotiated.send_event, Some(96));
    // We told it 101, so it may use that; it may as well use its own.
    assert_eq!(negotiated.event_clock_hz(101), Some(8_000));
    assert_eq!(negotiated.event_clock_hz(96), Some(8_000));
    assert_eq!(negotiated.codec_of(97), Some(Codec::Pcma));

    // Where its number is one of ours, ours decides about what comes in.
    let crossed = agreed("m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 PCMU/8000\r\n");
    assert_eq!(crossed.send_payload_type, 101);
    assert_eq!(crossed.codec_of(101), None);
    assert_eq!(crossed.event_clock_hz(101), Some(8_000));
}

#[test]
fn an_offer_that_uses_our_event_number_for_something_else() {
    let offered = sdp("m=audio 4000 RTP/AVP 101 0\r\na=rtpmap:101 opus/48000/2\r\n");
    let (body, negotiated) = answer(&local(), offered.as_bytes()).unwrap();
    assert!(text(&body).contains("m=audio 16400 RTP/AVP 0\r\n"));
    assert_eq!(negotiated.event_clock_hz(101), None);
}

#[test]
fn the_first_codec_of_the_peer_is_sent_also_after_it_changed_its_mind() {
    assert_eq!(agreed("m=audio 4000 RTP/AVP 8 0\r\n").codec, Codec::Pcma);
    assert_eq!(agreed("m=audio 4000 RTP/AVP 0 8\r\n").codec, Codec::Pcmu);
    let mut a_law_only = local();
    a_law_only.codecs = vec![Codec::Pcma];
    let negotiated = negotiate(&a_law_only, sdp("m=audio 4000 RTP/AVP 0 8\r\n").as_bytes()).unwrap();
    assert_eq!(negotiated.codec, Codec::Pcma);
}

#[test]
fn telephone_event_without_rtpmap_is_taken_at_the_number_that_we_offered() {
    assert_eq!(agreed("m=audio 4000 RTP/AVP 0 101\r\n").send_event, Some(101));
    assert_eq!(agreed("m=audio 4000 RTP/AVP 0 102\r\n").send_event, None);
}

#[test]
fn hold_in_all_its_forms() {
    let direction = |media: &str| agreed(media).direction;
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"), Direction::RecvOnly);
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\r\na=recvonly\r\n"), Direction::SendOnly);
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\r\na=inactive\r\n"), Direction::Inactive);
    assert_eq!(direction("a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n"), Direction::RecvOnly, "of the session");
    let overridden = "a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";
    assert_eq!(direction(overridden), Direction::SendRecv);
    for host in ["IP4 0.0.0.0", "IP6 ::", "IP6 invalid.invalid"] {
        let held = agreed(&format!("m=audio 4000 RTP/AVP 0\r\nc=IN {host}\r\na=sendrecv\r\n"));
        assert_eq!(held.direction, Direction::RecvOnly, "{host}");
        assert_eq!(held.remote, at("0.0.0.0:4000"));
    }
}

#[test]
fn a_hold_is_answered_from_our_side() {
    for (theirs, ours) in [("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")] {
        let offered = sdp(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
        let (body, _) = answer(&local(), offered.as_bytes()).unwrap();
        assert!(text(&body).ends_with(&format!("a={ours}\r\n")), "{theirs}");
    }
    let holding = LocalMedia { direction: Direction::SendOnly, ..local() };
    let (body, negotiated) = answer(&holding, sdp("m=audio 4000 RTP/AVP 0\r\n").as_bytes()).unwrap();
    assert!(text(&body).ends_with("a=sendonly\r\n"));
    assert_eq!(negotiated.direction, Direction::SendOnly);
}

#[test]
fn rtcp_goes_where_the_peer_says() {
    let rtcp = |line: &str| agreed(&format!("m=audio 4000 RTP/AVP 0\r\n{line}\r\n")).remote_rtcp;
    assert_eq!(rtcp("a=rtcp:5000"), at("198.51.100.7:5000"));
    assert_eq!(rtcp("a=rtcp:5000 IN IP4 203.0.113.9"), at("203.0.113.9:5000"));
    assert_eq!(rtcp("a=rtcp:5000 IN IP4 elsewhere.example"), at("198.51.100.7:5000"));
    assert_eq!(rtcp("a=rtcp-mux"), at("198.51.100.7:4001"), "multiplexing is not taken");
    assert_eq!(rtcp("a=rtcp:lots"), at("198.51.100.7:4001"));
    let (body, _) = answer(&local(), sdp("m=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\n").as_bytes()).unwrap();
    assert!(!text(&body).contains("rtcp-mux"));
}

#[test]
fn packet_times() {
    let ptime = |lines: &str| agreed(&format!("m=audio 4000 RTP/AVP 0\r\n{lines}")).ptime_ms;
    assert_eq!(ptime(""), 20);
    assert_eq!(ptime("a=ptime:30\r\n"), 30);
    assert_eq!(ptime("a=ptime: 40 \r\n"), 40);
    assert_eq!(ptime("a=ptime:30\r\na=maxptime:10\r\n"), 10);
    assert_eq!(ptime("a=ptime:0\r\n"), 20, "nonsense is our own wish");
    assert_eq!(ptime("a=ptime:99999999\r\n"), 20);
}

#[test]
fn ipv6_both_ways() {
    let address: IpAddr = "2001:db8::10".parse().unwrap();
    let local = LocalMedia::new(Origin { session_id: 1, version: 1, address }, address, 16_400);
    assert!(text(&offer(&local)).contains("c=IN IP6 2001:db8::10\r\n"));
    let body = "v=0\no=- 1 1 IN IP6 2001:db8::7\ns=-\nc=IN IP6 2001:DB8::7\nt=0 0\nm=audio 4000 RTP/AVP 0\n";
    let negotiated = negotiate(&local, body.as_bytes()).unwrap();
    assert_eq!(negotiated.remote, at("[2001:db8::7]:4000"));
    let error = negotiate(&local, sdp("m=audio 4000 RTP/AVP 0\r\n").as_bytes()).unwrap_err();
    assert_eq!((error.status(), error.warning()), (488, 301));
}

#[test]
fn what_is_refused_says_why() {
    let refused = |media: &str| {
        let error = answer(&local(), sdp(media).as_bytes()).unwrap_err();
        (error.reason(), error.status(), error.warning())
    };
    assert_eq!(refused("m=audio 0 RTP/AVP 0\r\n"), ("sdp-refused", 488, 304));
    assert_eq!(refused("m=video 4000 RTP/AVP 96\r\n"), ("sdp-no-audio", 488, 304));
    assert_eq!(refused("m=audio 4000 RTP/SAVP 0\r\n"), ("sdp-protocol", 488, 302));
    assert_eq!(refused("m=audio 4000 RTP/AVP 18\r\n"), ("sdp-no-codec", 488, 305));
    let wideband = "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n";
    assert_eq!(refused(wideband), ("sdp-no-codec", 488, 305));
    let relabelled = "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G726-32/8000\r\n";
    assert_eq!(refused(relabelled), ("sdp-no-codec", 488, 305));
    let multicast = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\n";
    assert_eq!(refused(multicast), ("sdp-address", 488, 330));
    let named = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n";
    assert_eq!(refused(named), ("sdp-host-name", 488, 301));
    assert_eq!(refused("m=audio 99999 RTP/AVP 0\r\n"), ("sdp-malformed", 400, 399));
    let error = negotiate(&local(), b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap_err();
    assert_eq!(error, NegotiateError::NoAddress);
    assert_eq!(negotiate(&local(), b"").unwrap_err().status(), 400);
    assert_eq!(negotiate(&local(), b"v=1\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap_err().status(), 400);
}

#[test]
fn a_secure_section_is_passed_over_for_a_plain_one() {
    let offered = sdp(
        "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\nm=audio 4002 RTP/AVP 8\r\n",
    );
    let (body, negotiated) = answer(&local(), offered.as_bytes()).unwrap();
    assert_eq!(negotiated.remote.port(), 4_002);
    assert!(text(&body).contains("m=audio 0 RTP/SAVP 0\r\nm=audio 16400 RTP/AVP 8\r\n"));
}

#[test]
fn junk_is_kept_out_of_the_way() {
    let body = b"\r\n\r\nv=0\ro=\xff\xfe 1 1\rs=\xe9t\xe9\nnonsense\n=\n\x00\nc=IN IP4 198.51.100.7 \nt=0 0\n\
        x=private\nm=audio  4000/2  RTP/AVP  0  0 999 x 101\na=rtpmap:  \na=rtpmap:101\na=\na=rtpmap:101 telephone-event\n\n";
    let description = Description::parse(body).unwrap();
    assert_eq!(description.skipped, 6);
    let negotiated = negotiate(&local(), body).unwrap();
    assert_eq!(negotiated.remote, at("198.51.100.7:4000"));
    assert_eq!(negotiated.send_event, Some(101));
}

#[test]
fn the_answer_repeats_the_time_and_the_profile_of_the_offer() {
    let offered = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=3034423619 3042462419\r\n\
        m=audio 4000 RTP/AVPF 0\r\n";
    let (body, _) = answer(&local(), offered.as_bytes()).unwrap();
    assert!(text(&body).contains("\r\nt=3034423619 3042462419\r\nm=audio 16400 RTP/AVPF 0\r\n"));
}

#[test]
fn size_is_bounded() {
    let many = |line: &str, times: usize| sdp(&line.repeat(times));
    assert!(matches!(
        Description::parse(many("a=x\r\n", MAX_LINES).as_bytes()),
        Err(DescriptionError::TooManyLines)
    ));
    assert!(matches!(
        Description::parse(many("m=audio 0 RTP/AVP 0\r\n", MAX_MEDIA + 1).as_bytes()),
        Err(DescriptionError::TooManyMedia)
    ));
    assert!(matches!(
        Description::parse(many("a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", MAX_LINES).as_bytes()),
        Err(DescriptionError::TooLong(_))
    ));
}

#[test]
fn a_record_keeps_what_was_agreed() {
    let (_, negotiated) = answer(&local(), LINPHONE.as_bytes()).unwrap();
    let record = postcard::to_stdvec(&(local(), &negotiated)).unwrap();
    assert!(record.len() < 150, "{} bytes", record.len());
    let (_, restored): (LocalMedia, Negotiated) = postcard::from_bytes(&record).unwrap();
    assert_eq!(restored, negotiated);
}

/// Our two ends agree with each other, whatever the settings.
#[test]
fn our_own_ends_agree() {
    for codecs in [vec![Codec::Pcmu], vec![Codec::Pcma], vec![Codec::Pcma, Codec::Pcmu]] {
        for telephone_event in [None, Some(96), Some(101)] {
            let caller = LocalMedia { codecs: codecs.clone(), telephone_event, ..local() };
            let (body, callee) = answer(&local(), &offer(&caller)).unwrap();
            let caller = negotiate(&caller, &body).unwrap();
            assert_eq!((caller.codec, callee.codec), (codecs[0], codecs[0]));
            assert_eq!((caller.send_event, callee.send_event), (telephone_event, telephone_event));
        }
    }
}

/// 100,000 descriptions with flipped, cut, repeated and exchanged bytes: no panic, nothing that costs
/// time, and an answer of ours is always readable and has as many sections as the offer.
#[test]
fn mutated_descriptions_are_survived() {
    let mut mint = crate::id::Mint::seeded(0x5D9);
    let samples = [ASTERISK, FREESWITCH, RTPENGINE, LINPHONE, BARESIP, CISCO];
    let mut answered = 0;
    for round in 0..100_000_usize {
        let mut body = samples[round % samples.len()].as_bytes().to_vec();
        crate::mutation::mutate(&mut body, &mut mint);
        let negotiated = negotiate(&local(), &body);
        let Ok((ours, agreed)) = answer(&local(), &body) else { continue };
        assert!(negotiated.is_ok(), "what can be answered can be agreed to");
        answered += 1;
        let ours = Description::parse(&ours).expect("we write what we can read");
        assert_eq!((ours.media.len(), ours.skipped), (agreed.refused.len() + 1, 0));
    }
    assert!(answered > 20_000, "only {answered} of the mutants were still descriptions");
}

/// The costliest description within the bounds: each section names every payload type, and the lines that
/// would explain them stand at the end of the last.
#[test]
fn the_costliest_description_is_bounded() {
    let formats = (0..128).map(|number| format!(" {number}")).collect::<String>();
    let mut body = sdp(&format!("m=audio 4000 RTP/AVP{formats}\r\n").repeat(MAX_MEDIA));
    while body.len() < MAX_BYTES - 40 && body.lines().count() < MAX_LINES - 1 {
        body.push_str("a=rtpmap:0 X/8000\r\n");
    }
    for _ in 0..100 {
        assert!(answer(&local(), body.as_bytes()).is_ok());
    }
}
