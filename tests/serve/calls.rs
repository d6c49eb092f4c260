//! Calls: asked for by HTTP, told by HTTP.

use serde_json::{Value, json};

use crate::world::{AWAY, BUSY, WILLING, World};

#[test]
fn a_call_is_placed_and_its_result_told() {
    let mut world = World::new();
    world.start();
    let body = json!({"to": WILLING, "questionnaire": "interop"});
    let answer = world.ask("POST", "/api/v1/calls").json(&body).send();
    assert_eq!(answer.status, 201, "{answer:?}");
    let call = answer.json();
    let id = call["call_id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/calls/{id}").as_str()));
    assert_eq!((&call["trunk"], &call["disposition"]), (&json!("a"), &Value::Null), "{call:#}");
    world.until_state(id, "talking");
    let open = world.get("/api/v1/calls?state=open");
    assert_eq!(open["calls"][0]["call_id"], id, "{open:#}");
    let ended = world.until_state(id, "ended");
    assert_eq!((&ended["disposition"], &ended["result"]["aapor"]), (&json!("complete"), &json!("1.1")));
    let responses = ended["result"]["responses"].as_array().unwrap();
    let values: Vec<&Value> = responses.iter().map(|response| &response["value"]).collect();
    assert_eq!(values, [&json!("yes"), &json!(37)], "{ended:#}");
    assert_eq!(ended["result"]["attempt_id"], call["attempt_id"]);
    let busy = world.place_call(BUSY);
    let busy = world.until_state(&busy, "ended");
    assert_eq!((&busy["disposition"], &busy["result"]["sip_status"]), (&json!("busy"), &json!(486)));
    let all = world.get("/api/v1/calls?limit=1");
    assert_eq!(
        (&all["calls"][0]["disposition"], all["calls"].as_array().unwrap().len()),
        (&json!("busy"), 1)
    );
    let next = world.get(&format!("/api/v1/calls?limit=1&before={}", all["next_before"]));
    assert_eq!(next["calls"][0]["call_id"], id);
    let complete = world.get("/api/v1/calls?disposition=complete");
    assert_eq!(complete["calls"].as_array().unwrap().len(), 1, "{complete:#}");
    assert_eq!(world.get("/api/v1/calls?state=talking")["calls"], json!([]));
    let metrics = world.ask("GET", "/metrics").send().text;
    for line in [
        "baton_ready 1",
        "baton_calls{state=\"talking\"} 0",
        "baton_calls_accepted_total 2",
        "baton_calls_ended_total{disposition=\"complete\"} 1",
        "baton_attempts_total{trunk=\"a\",status=\"486\"} 1",
        "baton_journal_failed_total 0",
    ] {
        assert!(metrics.lines().any(|stands| stands == line), "{line} is not in\n{metrics}");
    }
    let node = &world.get("/api/v1/nodes")["nodes"][0];
    assert_eq!((&node["state"], &node["calls"]), (&json!("ready"), &json!(0)), "{node:#}");
    assert_eq!(node["questionnaires"][0]["id"], "interop");
}

#[test]
fn a_call_is_hung_up() {
    let mut world = World::new();
    world.start();
    let id = world.place_call(AWAY);
    world.until_state(&id, "ringing");
    assert_eq!(world.ask("DELETE", &format!("/api/v1/calls/{id}")).send().status, 202);
    let ended = world.until_state(&id, "ended");
    assert_eq!(
        (&ended["disposition"], &ended["result"]["ended_by"]),
        (&json!("not_attempted"), &json!("caller"))
    );
    let again = world.ask("DELETE", &format!("/api/v1/calls/{id}")).send();
    again.problem(409, "call-over");
}

#[test]
fn a_key_is_one_call_however_often_it_is_sent() {
    let mut world = World::new();
    world.start();
    let body = json!({"to": AWAY, "questionnaire": "interop", "ring_timeout": "60s"});
    let ask = world.ask("POST", "/api/v1/calls").json(&body).header("idempotency-key", "\"k-1\"");
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let ask = ask.clone();
            std::thread::spawn(move || ask.send())
        })
        .collect();
    let answers: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let first = answers[0].json()["call_id"].clone();
    assert!(answers.iter().all(|answer| answer.json()["call_id"] == first), "{answers:?}");
    let new = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(new, 1);
    assert_eq!(world.get("/api/v1/calls")["calls"].as_array().unwrap().len(), 1);
    // The same request, written in another way.
    let same = r#"{"ring_timeout":"1m","trunk":null,"questionnaire":"interop","to":"777"}"#;
    let again = ask.clone().body(same).send();
    assert_eq!((again.status, &again.json()["call_id"]), (201, &first));
    let other = json!({"to": BUSY, "questionnaire": "interop"});
    ask.clone().json(&other).send().problem(422, "key-reused");
    // A request that was refused has used no key.
    let fresh = world.ask("POST", "/api/v1/calls").header("idempotency-key", "k-2");
    fresh.clone().json(&json!({"to": "1", "questionnaire": "other"})).send().problem(422, "invalid");
    assert_eq!(fresh.json(&other).send().status, 201);
    world.kill();
    world.start();
    let after = ask.send();
    assert_eq!((after.status, &after.json()["call_id"]), (201, &first), "the key outlives the process");
}

#[test]
fn the_attempts_of_a_case_come_to_one_outcome() {
    let mut world = World::new();
    world.start();
    let place = |to: &str| {
        let body = json!({"to": to, "questionnaire": "interop", "case": "household 47/11"});
        let answer = world.ask("POST", "/api/v1/calls").json(&body).send();
        assert_eq!(answer.status, 201, "{answer:?}");
        let call = answer.json();
        assert_eq!(call["case"], "household 47/11");
        world.until_state(call["call_id"].as_str().unwrap(), "ended")
    };
    let path = "/api/v1/cases/household%2047%2F11";
    assert_eq!(world.ask("GET", path).send().status, 404);
    let seeds: Vec<Value> =
        [BUSY, WILLING, BUSY].map(place).iter().map(|it| it["result"]["seed"].clone()).collect();
    assert!(seeds.iter().all(|seed| *seed == seeds[0]), "one order for all attempts: {seeds:?}");
    let case = world.get(path);
    assert_eq!((&case["disposition"], &case["aapor"]), (&json!("complete"), &json!("1.1")), "{case:#}");
    let attempts = case["attempts"].as_array().unwrap();
    let came_to: Vec<&Value> = attempts.iter().map(|attempt| &attempt["disposition"]).collect();
    assert_eq!(came_to, ["busy", "complete", "busy"], "{case:#}");
}
