//! Signing in, staying signed in, showing a second factor, signing out.

mod takeover;

use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::json;
use tests::client::{Client, read};
use tests::shop::Shop;

use super::browser::{Browser, FORMS, Person, SESSION, TOKEN, location};

/// A form that only a second factor opens.
const FORM: &str = "/console/switches/search";

/// A code on paper that nobody has.
const WRONG: &str = "AAAA-AAAA-AAAA-AAAA";

const WRONG_PASSWORD: &str = "/console/sign-in?problem=credentials&to=%2Fconsole%2Fswitches";

#[tokio::test]
async fn admin_signs_in_with_a_code_and_goes_on_where_they_wanted() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    let answer = browser.sign_in(&ada, &ada.codes[0]).await;
    let set: Vec<String> = answer
        .headers
        .get_all(SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(location(answer), "/console/switches");
    assert_eq!(set.len(), 2, "{set:?}");
    for cookie in &set {
        for part in ["HttpOnly", "Secure", "SameSite=Lax", "Max-Age="] {
            assert!(cookie.contains(part), "{cookie} without {part}");
        }
    }
    let page = browser.get("/console/switches").await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(
        String::from_utf8(page.bytes)
            .unwrap()
            .contains("confirmed until")
    );
    let _ = browser.get(FORM).await.expect(200);
}

#[tokio::test]
async fn without_a_code_an_admin_looks_and_changes_nothing() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    assert_eq!(
        location(browser.sign_in(&ada, "").await),
        "/console/switches"
    );
    let _ = browser.get("/console").await.expect(200);
    let step_up = "/console/step-up?to=%2Fconsole%2Fswitches%2Fsearch";
    assert_eq!(location(browser.get(FORM).await), step_up);
    let _ = browser.get(step_up).await.expect(200);
    let form = format!("{FORMS}/step-up");
    let wrong = browser
        .submit(&form, &[("code", WRONG), ("to", FORM)])
        .await;
    assert_eq!(
        location(wrong),
        "/console/step-up?problem=code&to=%2Fconsole%2Fswitches%2Fsearch"
    );
    assert_eq!(location(browser.get(FORM).await), step_up);
    let session = browser.cookie(SESSION).unwrap().to_owned();
    let good = [("code", ada.codes[0].as_str()), ("to", FORM)];
    assert_eq!(location(browser.submit(&form, &good).await), FORM);
    let _ = browser.get(FORM).await.expect(200);
    assert_eq!(browser.cookie(SESSION), Some(session.as_str()));
    // Good once.
    let again = location(browser.submit(&form, &good).await);
    assert!(again.contains("problem=code"), "{again}");
}

#[tokio::test]
async fn wrong_password_and_unknown_address_are_answered_alike() {
    let shop = Shop::open().await;
    let mut ada = Person::operator(&shop).await;
    "not the password".clone_into(&mut ada.password);
    let stranger = Person {
        email: "nobody-at-all@buyers.example".to_owned(),
        password: "not the password".to_owned(),
        codes: Vec::new(),
    };
    for (person, code) in [(&ada, ""), (&ada, ada.codes[0].as_str()), (&stranger, "")] {
        let mut browser = Browser::at(&shop.api_url);
        assert_eq!(
            location(browser.sign_in(person, code).await),
            WRONG_PASSWORD
        );
        assert!(browser.cookies.is_empty());
    }
}

#[tokio::test]
async fn wrong_code_after_the_right_password_leaves_nothing_behind() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let before = ada.sessions(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    let answer = location(browser.sign_in(&ada, WRONG).await);
    assert!(
        answer.starts_with("/console/sign-in?problem=code&"),
        "{answer}"
    );
    assert!(browser.cookies.is_empty());
    assert_eq!(ada.sessions(&shop).await, before + 1, "a session is left");
}

#[tokio::test]
async fn codes_at_the_sign_in_are_throttled_as_at_the_step_up() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    for _ in 0..5 {
        let answer = location(browser.sign_in(&ada, WRONG).await);
        assert!(answer.contains("problem=code"), "{answer}");
    }
    // The right one waits too, here and there.
    let answer = location(browser.sign_in(&ada, &ada.codes[0]).await);
    assert!(answer.contains("problem=too-many"), "{answer}");
    assert!(browser.cookies.is_empty());
    let code = json!({"code": ada.codes[0]});
    let client = ada.client(&shop).await;
    let _ = client.post("/auth/step-up", code).await.expect(429);
}

#[tokio::test]
async fn who_is_no_admin_is_told_so_and_not_signed_in() {
    let shop = Shop::open().await;
    let customer = Person::customer(&shop).await;
    let before = customer.sessions(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    let answer = location(browser.sign_in(&customer, "").await);
    assert!(answer.contains("problem=not-admin"), "{answer}");
    assert!(browser.cookies.is_empty());
    let after = customer.sessions(&shop).await;
    assert_eq!(after, before + 1, "a session is left");
    let page = browser.get(&answer).await.expect(200);
    let page = String::from_utf8(page.bytes).unwrap();
    assert!(page.contains("this account is none"), "{page}");
}

#[tokio::test]
async fn admin_without_a_second_factor_is_told_to_set_one_up() {
    let shop = Shop::open().await;
    let ada = Person::admin(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    let answer = location(browser.sign_in(&ada, WRONG).await);
    assert!(answer.contains("problem=no-factor"), "{answer}");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn nobody_is_sent_away_from_the_console() {
    let shop = Shop::open().await;
    let ada = Person::admin(&shop).await;
    for to in [
        "https://evil.example/console",
        "//evil.example",
        "/\\evil.example",
        "/console.evil.example",
        "/console\r\nset-cookie: a=b",
        "",
    ] {
        let mut browser = Browser::at(&shop.api_url);
        let credentials = [("email", ada.email.as_str()), ("to", to)];
        let sign_in = format!("{FORMS}/sign-in");
        let right = [
            credentials[0],
            credentials[1],
            ("password", ada.password.as_str()),
        ];
        assert_eq!(location(browser.submit(&sign_in, &right).await), "/console");
        let wrong = [credentials[0], credentials[1], ("password", "wrong")];
        assert_eq!(
            location(browser.submit(&sign_in, &wrong).await),
            "/console/sign-in?problem=credentials&to=%2Fconsole"
        );
        let renew = browser.request(&Method::GET, &format!("{FORMS}/renew"));
        let renewed = browser.keep(read(renew.query(&[("to", to)])).await);
        assert_eq!(location(renewed), "/console");
        let _ = browser.cookies.remove(SESSION);
        let renew = browser.request(&Method::GET, &format!("{FORMS}/renew"));
        let renewed = browser.keep(read(renew.query(&[("to", to)])).await);
        assert_eq!(location(renewed), "/console/sign-in?to=%2Fconsole");
    }
}

#[tokio::test]
async fn session_is_renewed_when_its_token_is_gone_and_by_two_pages_at_once() {
    let shop = Shop::open().await;
    let ada = Person::admin(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    location(browser.sign_in(&ada, "").await);
    let _ = browser.cookies.remove(TOKEN);
    let renew = location(browser.get("/console/switches?done=set").await);
    assert_eq!(
        renew,
        format!("{FORMS}/renew?to=%2Fconsole%2Fswitches%3Fdone%3Dset")
    );
    let ask = || read(browser.request(&Method::GET, &renew));
    let both = tokio::join!(ask(), ask());
    let successors = [both.0, both.1].map(|answer| {
        let answer = browser.keep(answer);
        assert_eq!(location(answer), "/console/switches?done=set");
        browser.cookie(SESSION).unwrap().to_owned()
    });
    assert_eq!(successors[0], successors[1]);
    let _ = browser.get("/console/switches").await.expect(200);
    // The successor is the good one, and has one of its own.
    assert_eq!(
        location(browser.get(&renew).await),
        "/console/switches?done=set"
    );
    assert_ne!(browser.cookie(SESSION), Some(successors[0].as_str()));
}

#[tokio::test]
async fn what_was_typed_is_there_again_after_the_session_was_renewed_and_confirmed() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    location(browser.sign_in(&ada, &ada.codes[0]).await);
    // A quarter of an hour later.
    let _ = browser.cookies.remove(TOKEN);
    let typed = [
        ("enabled", "false"),
        ("reason", "stock & prices are <wrong>"),
    ];
    let renew = location(browser.submit(FORM, &typed).await);
    assert!(renew.starts_with(&format!("{FORMS}/renew?to=")), "{renew}");
    let form = location(browser.get(&renew).await);
    let step_up = location(browser.get(&form).await);
    assert!(step_up.starts_with("/console/step-up?to="), "{step_up}");
    let page = browser.get(&step_up).await.expect(200);
    let page = String::from_utf8(page.bytes).unwrap();
    let to = page.split("name=\"to\" value=\"").nth(1).unwrap();
    let to = to.split('"').next().unwrap().replace("&#38;", "&");
    let confirmed = [("code", ada.codes[1].as_str()), ("to", to.as_str())];
    let form = browser
        .submit(&format!("{FORMS}/step-up"), &confirmed)
        .await;
    let form = location(form);
    assert!(form.starts_with(&format!("{FORM}?")), "{form}");
    let page = browser.get(&form).await.expect(200);
    let page = String::from_utf8(page.bytes).unwrap();
    assert!(
        page.contains("value=\"stock &#38; prices are &#60;wrong&#62;\""),
        "{page}"
    );
}

#[tokio::test]
async fn renewal_without_a_good_session_leads_to_the_sign_in_and_forgets_it() {
    let shop = Shop::open().await;
    for session in ["", "nonsense", &"A".repeat(86)] {
        let mut browser = Browser::at(&shop.api_url).with_token("a.b.c");
        let kept = (session.to_owned(), FORMS.to_owned());
        browser.cookies.insert(SESSION.to_owned(), kept);
        let answer = browser
            .get(&format!("{FORMS}/renew?to=/console/switches"))
            .await;
        let to = "/console/sign-in?to=%2Fconsole%2Fswitches";
        assert_eq!(location(answer), to, "{session}");
        assert!(browser.cookies.is_empty());
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_with_and_without_its_token() {
    let shop = Shop::open().await;
    let ada = Person::admin(&shop).await;
    for is_young in [true, false] {
        let mut browser = Browser::at(&shop.api_url);
        location(browser.sign_in(&ada, "").await);
        let session = browser.cookie(SESSION).unwrap().to_owned();
        if !is_young {
            let _ = browser.cookies.remove(TOKEN);
        }
        let out = location(browser.submit(&format!("{FORMS}/sign-out"), &[]).await);
        assert_eq!(out, "/console/sign-in?problem=signed-out&to=%2Fconsole");
        assert!(browser.cookies.is_empty());
        let refresh = json!({"refresh_token": session});
        let api = Client::anonymous(&shop.api_url);
        let _ = api.post("/auth/refresh", refresh).await.expect(401);
        let page = browser.get(&out).await.expect(200);
        let page = String::from_utf8(page.bytes).unwrap();
        assert!(page.contains("You are signed out."), "{page}");
        assert_eq!(
            location(browser.get("/console").await),
            format!("{FORMS}/renew?to=%2Fconsole")
        );
    }
}

#[tokio::test]
async fn what_is_no_form_is_answered_with_a_page_too() {
    let shop = Shop::open().await;
    let mut browser = Browser::at(&shop.api_url);
    let sign_in = format!("{FORMS}/sign-in");
    // Somebody looks at the address again.
    assert_eq!(
        location(browser.get(&sign_in).await),
        "/console/sign-in?to=%2Fconsole"
    );
    let failed = "/console/sign-in?problem=failed&to=%2Fconsole";
    let half = browser
        .submit(&sign_in, &[("email", "ada@example.com")])
        .await;
    assert_eq!(location(half), failed);
    let json = browser.request(&Method::POST, &sign_in).json(&json!({}));
    assert_eq!(location(browser.keep(read(json).await)), failed);
}
