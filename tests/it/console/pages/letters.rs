//! Dead letters in the console, through the deployed functions.

use super::{Browser, Got};
use crate::dead_letters::{event, send};
use crate::faults::in_the_end;
use serde_json::{Value, json};
use shared::state::Ops;
use tests::shop::{Shop, eventually};
use tests::state::Changed;
use uuid::Uuid;

const PATH: &str = "/console/dead-letters";

/// What is no HTML, whoever says it.
const ERROR: &str = "<script>alert(1)</script> broke";

/// Letters only, as a type has.
fn new_type() -> String {
    let digits = Uuid::new_v4().simple().to_string();
    let letters = digits.chars().map(|digit| {
        let place = digit.to_digit(16).unwrap();
        char::from_u32(u32::from('a') + place).unwrap()
    });
    letters.collect()
}

/// Has a message die that its consumer would take, unless `type_` is none that it knows.
async fn dies(type_: &str) {
    let text = |value: &str| json!({"StringValue": value, "DataType": "String"});
    let attributes = json!({
        "error_class": text("defect"), "error": text(ERROR), "attempts": text("5"),
    });
    let body = event(Uuid::now_v7(), 1).replace("order_paid", type_);
    send("mail-dlq", &body, &attributes).await;
}

/// The letters of a type, once there are so many.
async fn kept(shop: &Shop, type_: &str, count: usize) -> Vec<Value> {
    let path = format!("/admin/dead-letters?type={type_}");
    eventually("they are kept", async || {
        let page = shop.admin.get(&path).await.expect(200).body;
        let items = page["items"].as_array().unwrap();
        (items.len() == count).then(|| items.clone())
    })
    .await
}

/// One of a type of its own, and the path of its page.
pub(in crate::console) async fn one(shop: &Shop) -> (String, String) {
    let type_ = new_type();
    dies(&type_).await;
    let letters = kept(shop, &type_, 1).await;
    let id = letters[0]["id"].as_str().unwrap();
    (type_, format!("{PATH}/{id}"))
}

/// Where a step-up leads back to.
fn way_back(got: &Got) -> &str {
    let way = got.expect(303).location();
    way.strip_prefix("/console/step-up?to=")
        .unwrap_or_else(|| panic!("{way}"))
}

#[tokio::test]
async fn dead_letter_is_listed_and_shown_and_nothing_in_it_is_html() {
    let shop = Shop::open().await;
    let (type_, path) = one(&shop).await;
    let browser = Browser::signed_in().await;
    let list = browser
        .get(&format!("{PATH}?type={type_}&queue=&status="))
        .await;
    list.expect(200).shows(&[
        &path,
        &type_,
        "parked 1</a>",
        "waiting 0</a>",
        "all 1</a>",
        "defect: &#60;script&#62;alert(1)",
        "Parked: they would fail again",
    ]);
    list.lacks(&["<script>alert"]);
    let none = browser
        .get(&format!("{PATH}?type={type_}&status=replayed"))
        .await;
    none.expect(200).shows(&["No dead letters here. Good."]);
    none.lacks(&[&path]);
    let letter = browser.get(&path).await;
    letter.expect(200).shows(&[
        &type_,
        "&#60;script&#62;alert(1)&#60;/script&#62; broke",
        "Replay now",
        "Discard",
        "aggregate_id",
    ]);
    letter.lacks(&["<script>alert"]);
    let absent = format!("{PATH}/{}", Uuid::now_v7());
    browser
        .get(&absent)
        .await
        .expect(404)
        .shows(&["Status 404"]);
    for odd in [
        "status=lost",
        "error_class=odd",
        "queue=teleport",
        "replay_id=7",
    ] {
        let odd = browser.get(&format!("{PATH}?{odd}")).await;
        odd.expect(422).shows(&["Status 422"]);
    }
}

#[tokio::test]
async fn decisions_ask_for_a_second_factor_and_lose_nothing_that_was_typed() {
    let shop = Shop::open().await;
    let (_, path) = one(&shop).await;
    let browser = Browser::signed_in().await;
    let form = format!("{path}/discard");
    let escaped = form.replace('/', "%2F");
    assert_eq!(way_back(&browser.get(&form).await), escaped);
    let typed = browser.post(&form, &[("reason", "ours & void")]).await;
    assert_eq!(
        way_back(&typed),
        format!("{escaped}%3Freason%3Dours%2B%2526%2Bvoid")
    );
    for path in [format!("{path}/replay"), format!("{PATH}/replay")] {
        let escaped = path.replace('/', "%2F");
        assert_eq!(way_back(&browser.get(&path).await), escaped);
        assert_eq!(way_back(&browser.post(&path, &[]).await), escaped);
    }
    browser.get(&path).await.shows(&["parked</span>"]);
    // What stands in the address after the code is in the field again.
    let confirmed = Browser::confirmed(&shop);
    let form = confirmed
        .get(&format!("{form}?reason=ours+%26+%22void"))
        .await;
    form.expect(200)
        .shows(&["value=\"ours &#38; &#34;void\"", "Discard this dead letter"]);
}

#[tokio::test]
async fn dead_letter_is_discarded_for_a_reason_and_not_without_one() {
    let shop = Shop::open().await;
    let (_, path) = one(&shop).await;
    let browser = Browser::confirmed(&shop);
    let form = format!("{path}/discard");
    let long = "<b>".repeat(67);
    for bad in ["", "  ", &long] {
        let again = browser.post(&form, &[("reason", bad)]).await;
        again.expect(422).shows(&[
            "The reason must be 1 to 200 characters.",
            "aria-invalid=\"true\"",
            "Discard this dead letter",
        ]);
        again.lacks(&["<b>"]);
    }
    let again = browser.post(&form, &[]).await;
    again.expect(422).shows(&["The reason must be"]);
    browser
        .get(&path)
        .await
        .shows(&["parked</span>", "Replay now"]);
    let done = browser
        .post(&form, &[("reason", "a <i>test</i> sent it")])
        .await;
    assert_eq!(done.expect(303).location(), format!("{path}?done=discard"));
    let page = browser.get(done.location()).await;
    page.expect(200).shows(&[
        "It is discarded, and never comes back.",
        "discarded</span>",
        "a &#60;i&#62;test&#60;/i&#62; sent it",
        "It was discarded: it is never processed",
    ]);
    page.lacks(&["Replay now", "<i>"]);
    let recorded = recorded(path.trim_start_matches("/console/dead-letters/")).await;
    assert_eq!(
        recorded,
        [(
            "dead_letter.discard".to_owned(),
            json!({"reason": "a <i>test</i> sent it"})
        )]
    );
    // Decided once, however often the button is pressed.
    let twice = browser.post(&form, &[("reason", "pressed twice")]).await;
    assert_eq!(twice.expect(303).location(), path);
    let page = browser.get(&path).await;
    page.shows(&["discarded</span>", "a &#60;i&#62;test"]);
    page.lacks(&["pressed twice"]);
    let form = browser.get(&form).await;
    form.expect(200).lacks(&["<input"]);
    let again = browser.post(&format!("{path}/replay"), &[]).await;
    again.expect(409).shows(&["It was discarded."]);
}

/// What the audit log has of something.
async fn recorded(subject: &str) -> Vec<(String, Value)> {
    let state = Changed::new().state::<Ops>().await;
    let mut tx = state.database.begin().await.unwrap();
    let rows =
        sqlx::query_as("select action, detail from audit_log where subject = $1 order by at");
    rows.bind(subject).fetch_all(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn dead_letter_is_replayed_and_done_with() {
    let shop = Shop::open().await;
    let mark = Uuid::now_v7();
    let text = |value: &str| json!({"StringValue": value, "DataType": "String"});
    let attributes = json!({
        "error_class": text("defect"), "error": text(ERROR), "attempts": text("5"),
    });
    // The mailer takes it, and finds nothing to do.
    send("mail-dlq", &event(mark, 1), &attributes).await;
    let letter = eventually("it is kept", async || {
        let path = "/admin/dead-letters?queue=mail&type=order_paid&limit=100";
        let page = shop.admin.get(path).await.expect(200).body;
        let mut items = page["items"].as_array().unwrap().iter();
        let is_it = |letter: &&Value| letter["aggregate_id"] == json!(mark);
        items.find(is_it).cloned()
    })
    .await;
    let path = format!("{PATH}/{}", letter["id"].as_str().unwrap());
    let browser = Browser::confirmed(&shop);
    let form = browser.get(&format!("{path}/replay")).await;
    form.expect(200).shows(&["Replay this dead letter"]);
    let done = browser.post(&format!("{path}/replay"), &[]).await;
    assert_eq!(done.expect(303).location(), format!("{path}?done=replay"));
    browser.get(done.location()).await.expect(200).shows(&[
        "It is due now, and is sent again within a minute.",
        &format!("/console/orders/{mark}"),
    ]);
    in_the_end("it is processed", async || {
        let page = browser.get(&path).await;
        page.text.contains("replayed</span>").then_some(())
    })
    .await;
    let page = browser.get(&path).await;
    page.shows(&["Its consumer has processed it after all"]);
    page.lacks(&["Replay now"]);
}

#[tokio::test]
async fn many_are_counted_then_replayed_and_followed() {
    let shop = Shop::open().await;
    let type_ = new_type();
    for _ in 0..3 {
        dies(&type_).await;
    }
    let _ = kept(&shop, &type_, 3).await;
    let browser = Browser::confirmed(&shop);
    let form = format!("{PATH}/replay?queue=mail&type={type_}&error_class=");
    let two = browser.get(&format!("{form}&limit=2")).await;
    two.expect(200).shows(&["Replay these 2"]);
    let all = browser.get(&form).await;
    all.expect(200).shows(&["Replay these 3", "defect", &type_]);
    for bad in ["0", "many", "10001"] {
        let refused = browser.get(&format!("{form}&limit={bad}")).await;
        refused
            .expect(422)
            .shows(&["The limit must be a number from 1 to 10000."]);
        refused.lacks(&["Replay these"]);
    }
    // Counting has changed nothing.
    let _ = kept(&shop, &type_, 3).await;
    let sent = [
        ("queue", "mail"),
        ("type", type_.as_str()),
        ("error_class", ""),
        ("limit", "3"),
    ];
    let done = browser.post(&format!("{PATH}/replay"), &sent).await;
    let location = done.expect(303).location();
    assert!(
        location.starts_with("/console/dead-letters?replay_id=")
            && location.ends_with("&done=replays"),
        "{location}"
    );
    browser
        .get(location)
        .await
        .expect(200)
        .shows(&[" of 3 replayed, "]);
    // Nobody knows this type, so they come back.
    in_the_end("all are parked again", async || {
        let page = browser.get(location).await;
        let far = "0 of 3 replayed, 3 parked, 0 to go.";
        page.text.contains(far).then_some(())
    })
    .await;
    browser.get(location).await.shows(&["unknown event:"]);
    let nothing = format!("{PATH}/replay?type={type_}&error_class=transient");
    let nothing = browser.get(&nothing).await;
    nothing
        .expect(200)
        .shows(&["Nothing: no such dead letter waits or is parked."]);
    nothing.lacks(&["Replay these"]);
}

/// What a hidden field of a form holds.
fn hidden<'a>(got: &'a Got, name: &str) -> &'a str {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = got.text.split_once(&begin).unwrap();
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn form_that_is_sent_twice_replays_once() {
    let shop = Shop::open().await;
    let type_ = new_type();
    for _ in 0..6 {
        dies(&type_).await;
    }
    let _ = kept(&shop, &type_, 6).await;
    let browser = Browser::confirmed(&shop);
    let path = format!("{PATH}/replay");
    let shown = browser.get(&format!("{path}?type={type_}&limit=3")).await;
    shown.expect(200).shows(&["Replay these 3"]);
    let id = hidden(&shown, "replay_id");
    let form = [("type", type_.as_str()), ("limit", "3"), ("replay_id", id)];
    let (first, second) = futures::join!(browser.post(&path, &form), browser.post(&path, &form));
    let third = browser.post(&path, &form).await;
    let done = format!("{PATH}?replay_id={id}&done=replays");
    for sent in [first, second, third] {
        assert_eq!(sent.expect(303).location(), done);
    }
    let replayed = format!("/admin/dead-letters?replay_id={id}");
    let replayed = shop.admin.get(&replayed).await.expect(200).body;
    assert_eq!(replayed["items"].as_array().unwrap().len(), 3);
    let recorded = recorded(id).await;
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0].1["matched"], 3);
    // The next form is another replay.
    let next = browser.get(&format!("{path}?type={type_}")).await;
    assert_ne!(hidden(next.expect(200), "replay_id"), id);
}
