//! Who may do what, and who decides it.

use http::Method;
use serde_json::{Value, json};
use shared::domain::accounts::Role;
use shared::state::Auth;
use tests::client::{Answer, Client};
use tests::shop::{Shop, eventually, new_key};
use uuid::Uuid;

use super::{ask_whole, execute, id_of, login, me, register, stepped_up};

fn path(id: Uuid) -> String {
    format!("/admin/users/{id}/role")
}

#[tokio::test]
async fn new_role_ends_the_sessions_and_is_recorded() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, "ada@example.com").await;
    register(&router, "boss@example.com").await;
    let (ada, boss) = (
        id_of(&state, "ada@example.com").await,
        id_of(&state, "boss@example.com").await,
    );
    execute(
        &state,
        "update users set role = 'admin' where id = $1",
        boss,
    )
    .await;
    let admin = stepped_up(&state, boss, Role::Admin).await;
    let pair = login(&router, "ada@example.com").await;
    let put = async |role: &str| -> Answer {
        let body = json!({"role": role});
        let asked = (Method::PUT, path(ada), Some(admin.as_str()), body);
        ask_whole(&router, (asked.0, &asked.1, asked.2, asked.3)).await
    };
    for _ in 0..2 {
        let _ = put("seller").await.expect(204);
    }
    assert_eq!(me(&router, &pair).await.0, 401);
    let again = login(&router, "ada@example.com").await;
    assert_eq!(again["user"]["role"], "seller");
    assert_eq!(me(&router, &again).await.0, 200);
    let _ = put("king").await.expect(422);
    let mut tx = state.database.begin().await.unwrap();
    let recorded: Vec<(Uuid, String, Value)> = sqlx::query_as(
        "select actor_id, subject, detail from audit_log where action = 'user.role'",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let detail = json!({"from": "customer", "to": "seller"});
    assert_eq!(recorded, [(boss, ada.to_string(), detail)]);
}

#[tokio::test]
async fn last_admin_stays() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    let mut admins = Vec::new();
    for email in ["first@example.com", "second@example.com"] {
        register(&router, email).await;
        let id = id_of(&state, email).await;
        execute(&state, "update users set role = 'admin' where id = $1", id).await;
        admins.push((id, stepped_up(&state, id, Role::Admin).await));
    }
    let ask = async |method, path: &str, token: &str| {
        let asked = (method, path, Some(token), json!({"role": "customer"}));
        ask_whole(&router, asked).await
    };
    // Each takes the other's role away at the same moment: one of them stays.
    let [(one, ones), (other, others)] = admins.as_slice() else {
        panic!("there are not two")
    };
    let (of_one, of_other) = (path(*one), path(*other));
    let (first, second) = tokio::join!(
        ask(Method::PUT, &of_other, ones),
        ask(Method::PUT, &of_one, others)
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    let (id, token) = if first.status == 204 {
        &admins[0]
    } else {
        &admins[1]
    };
    for (method, path) in [
        (Method::PUT, path(*id)),
        (Method::DELETE, "/auth/me".to_owned()),
    ] {
        let answer = ask(method, &path, token).await.expect(409);
        assert_eq!(answer.problem(), "conflict");
    }
}

#[tokio::test]
async fn roles_are_for_admins_with_a_second_factor() {
    let shop = Shop::open().await;
    let stack = tests::Stack::running();
    let account = &stack.accounts.admin;
    let plain = Client::signed_in(&stack.api_url, &account.email, &account.password).await;
    let nobody = path(Uuid::now_v7());
    let body = || json!({"role": "seller"});
    assert_eq!(
        shop.seller.put(&nobody, body()).await.expect(403).problem(),
        "forbidden"
    );
    let without = plain.put(&nobody, body()).await.expect(403);
    assert_eq!(without.problem(), "step-up-required");
    let _ = shop.admin.put(&nobody, body()).await.expect(404);
}

#[tokio::test]
async fn what_moves_money_or_the_shop_needs_a_second_factor_and_reading_none() {
    let stack = tests::Stack::running();
    let account = &stack.accounts.admin;
    let plain = Client::signed_in(&stack.api_url, &account.email, &account.password).await;
    let id = Uuid::now_v7();
    let reason = json!({"enabled": true, "state": "auto", "reason": "a test"});
    for path in ["/admin/flags/search", "/admin/breakers/lambda"] {
        let refused = plain.put(path, reason.clone()).await.expect(403);
        assert_eq!(refused.problem(), "step-up-required", "{path}");
    }
    for path in [
        format!("/orders/{id}/refunds"),
        format!("/wallets/{id}/credits"),
    ] {
        let refused = plain
            .post_once(&path, &new_key(), &reason)
            .await
            .expect(403);
        assert_eq!(refused.problem(), "step-up-required", "{path}");
    }
    for path in ["/admin/flags", "/admin/breakers", "/orders", "/auth/me"] {
        let _ = plain.get(path).await.expect(200);
    }
}

/// With the deployed functions: every environment knows of it within a minute.
#[tokio::test]
async fn customer_becomes_a_seller() {
    let shop = Shop::open().await;
    let customer = shop.newcomer().await;
    let me = customer.get("/auth/me").await.expect(200).body;
    let id: Uuid = me["id"].as_str().unwrap().parse().unwrap();
    let put = shop.admin.put(&path(id), json!({"role": "seller"})).await;
    let _ = put.expect(204);
    eventually("the old token is refused", async || {
        (customer.get("/auth/me").await.status == 401).then_some(())
    })
    .await;
}
