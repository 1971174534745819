//! The last-good catalogue follows the database, and is mended where it does not.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::catalogue::{Slug, Sort};
use shared::events::handle_together;
use shared::operations::project_catalogue::{self, Recent};
use shared::state::{AppState, Products, Projector, Sweeper};
use shared::store::last_good::{LastGood, LastGoodError, keys};
use shared::store::listing::Wanted;
use shared::store::products::ProductKey;
use shared::store::reservations::Offer;
use sqlx::PgPool;
use tests::TestDatabase;
use tests::client::{Client, read};
use tests::shop::{Shop, eur, eventually, new_key};
use uuid::Uuid;

/// What is kept of a product that may be missing.
async fn version_kept(last_good: &LastGood, id: Uuid) -> Option<i64> {
    let page = last_good.page(&ProductKey::Id(id)).await.unwrap()?;
    Some(page.value.card.version)
}

async fn offer_kept(last_good: &LastGood, sku: &str) -> Option<Offer> {
    last_good.offers(&[sku.to_owned()]).await.unwrap().pop()
}

async fn is_listed(last_good: &LastGood, id: Uuid) -> bool {
    let list = last_good.list(&newest()).await.unwrap().value;
    list.iter().any(|(place, _)| place.id == id)
}

fn newest() -> Wanted {
    Wanted {
        words: None,
        category: None,
        price_min: None,
        price_max: None,
        in_stock: None,
        sort: Sort::Newest,
        after: None,
        limit: 100,
    }
}

async fn patch(client: &Client, path: &str, body: Value) -> Value {
    let request = client.request(Method::PATCH, path);
    let request = request.header("If-Match", "*").json(&body);
    read(request).await.expect(200).body
}

#[tokio::test]
async fn product_is_kept_in_s3_and_follows_every_change() {
    let shop = Shop::open().await;
    let state = tests::state::Changed::new().state::<Products>().await;
    let last_good = &state.last_good;
    let sku = format!("T-{}", Uuid::new_v4().simple());
    let category =
        shop.seller.get("/categories").await.expect(200).body["items"][0]["slug"].clone();
    let variant = |price| json!([{"sku": sku, "title": "One", "options": {}, "price": eur(price)}]);
    let body = json!({"title": format!("Followed {sku}"), "description": "Made by a test.",
        "category": category, "status": "active", "variants": variant(1500)});
    let made = shop.seller.post("/products", body).await.expect(201);
    let id: Uuid = made.body["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/products/{id}");

    eventually("it is kept", async || version_kept(last_good, id).await).await;
    let slug = Slug::try_from(made.body["slug"].as_str().unwrap().to_owned()).unwrap();
    let by_slug = last_good
        .page(&ProductKey::Slug(slug))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_slug.value.card.id, id);
    assert!(is_listed(last_good, id).await);

    patch(&shop.seller, &path, json!({"variants": variant(1700)})).await;
    eventually("its price follows", async || {
        let offer = offer_kept(last_good, &sku).await?;
        (offer.price_minor == 1700).then_some(())
    })
    .await;
    let stock = format!("{path}/variants/{sku}/stock-adjustments");
    let delivery = json!({"delta": 5, "reason": "delivery"});
    let _ = shop
        .seller
        .post_once(&stock, &new_key(), &delivery)
        .await
        .expect(200);
    eventually("its stock follows", async || {
        let offer = offer_kept(last_good, &sku).await?;
        (offer.available == 5).then_some(())
    })
    .await;

    let archived = read(shop.seller.request(Method::DELETE, &path)).await;
    let _ = archived.expect(204);
    eventually("it is gone", async || {
        let kept = version_kept(last_good, id).await.is_some()
            || offer_kept(last_good, &sku).await.is_some()
            || is_listed(last_good, id).await;
        (!kept).then_some(())
    })
    .await;
}

#[tokio::test]
async fn category_has_its_list_and_rates_are_kept() {
    let shop = Shop::open().await;
    let state = tests::state::Changed::new().state::<Products>().await;
    let last_good = &state.last_good;
    let slug = format!("t-{}", Uuid::new_v4().simple());
    let body = json!({"title": "Made by a test", "slug": slug});
    let _ = shop.admin.post("/categories", body).await.expect(201);
    eventually("the category is kept", async || {
        let kept = last_good.categories().await.unwrap()?.value;
        kept.into_iter().find(|category| category.slug == slug)
    })
    .await;
    let table = shop
        .admin
        .get("/admin/shipping-rates")
        .await
        .expect(200)
        .body;
    let _ = shop
        .admin
        .put("/admin/shipping-rates", table.clone())
        .await
        .expect(200);
    eventually("the rates are kept", async || {
        let kept = last_good.rates("DE").await.unwrap()?;
        let of = |country: &str| {
            let items = table["items"].as_array().unwrap().iter();
            items
                .clone()
                .find(|rate| rate["country"] == country)
                .cloned()
        };
        let rate = of("DE").or_else(|| of("**")).unwrap();
        (rate["amount"]["amount"] == kept.shipping.amount_minor).then_some(())
    })
    .await;
}

/// Puts a category and a product with one variant into a database; their ids.
pub(crate) async fn one_product(pool: &PgPool) -> Uuid {
    let (seller, category, product) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, role, wallet_id)
         values ($1, 's@s.example', 's@s.example', 'S', 'x', 'seller', $1)",
    )
    .bind(seller)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("insert into categories (id, slug, title) values ($1, 'kitchen', 'Kitchen')")
        .bind(category)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(
        "insert into products (id, seller_id, slug, title, description, category_id, status, price_from_minor)
         values ($1, $2, 'mug', 'Mug', 'A mug.', $3, 'active', 900)",
    )
    .bind(product)
    .bind(seller)
    .bind(category)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into variants (sku, product_id, title, price_minor) values ('MUG', $1, '', 900)",
    )
    .bind(product)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("insert into stock (sku, on_hand) values ('MUG', 3)")
        .execute(pool)
        .await
        .unwrap();
    product
}

async fn sweep(state: &AppState<Sweeper>) -> Value {
    let done = sweeper::run(state.clone()).await.unwrap();
    done["catalogue"].clone()
}

#[tokio::test]
async fn sweeper_fills_an_empty_bucket_and_mends_what_was_tampered_with() {
    let database = TestDatabase::create().await;
    let id = one_product(database.pool()).await;
    let state = tests::state_on::<Sweeper>(&database).await;
    let last_good = &state.last_good;
    let unknown = last_good.page(&ProductKey::Id(id)).await;
    assert!(matches!(unknown, Err(LastGoodError::Incomplete)));

    assert_eq!(sweep(&state).await["complete"], true);
    assert_eq!(version_kept(last_good, id).await, Some(1));
    assert!(is_listed(last_good, id).await);
    assert_eq!(sweep(&state).await["repaired"], 0);

    for key in [keys::product(id), keys::list(None, Sort::Newest)] {
        last_good
            .objects()
            .keep(&key, "tampered with".into())
            .await
            .unwrap();
    }
    last_good
        .objects()
        .drop_kept(&keys::sku("MUG"))
        .await
        .unwrap();
    // The lists of one category, or of all, in a run: two here.
    let repaired = [sweep(&state).await, sweep(&state).await];
    let repaired = repaired
        .iter()
        .map(|done| done["repaired"].as_u64().unwrap());
    assert_eq!(repaired.sum::<u64>(), 3);
    assert_eq!(version_kept(last_good, id).await, Some(1));
    assert_eq!(offer_kept(last_good, "MUG").await.unwrap().price_minor, 900);
    assert!(is_listed(last_good, id).await);
}

#[tokio::test]
async fn another_count_is_written_and_not_called_a_repair() {
    let database = TestDatabase::create().await;
    let id = one_product(database.pool()).await;
    let state = tests::state_on::<Sweeper>(&database).await;
    sweep(&state).await;
    let update = "update stock set on_hand = 2";
    sqlx::query(update).execute(database.pool()).await.unwrap();
    assert_eq!(project_catalogue::product(&state, id).await.unwrap(), 0);
    let offer = offer_kept(&state.last_good, "MUG").await.unwrap();
    assert_eq!(offer.available, 2);
}

#[tokio::test]
async fn product_leaves_the_list_of_the_category_that_it_left() {
    let database = TestDatabase::create().await;
    let id = one_product(database.pool()).await;
    let state = tests::state_on::<Projector>(&database).await;
    project_catalogue::categories(&state).await.unwrap();
    let ids = || [(id, shared::clock::now())].into();
    let recent = Recent::default();
    assert!(
        project_catalogue::products(&state, &recent, &ids())
            .await
            .unwrap()
            .is_empty()
    );
    let listed = async |slug: &str| {
        let category = Some(Slug::try_from(slug.to_owned()).unwrap());
        let list = state
            .last_good
            .list(&Wanted {
                category,
                ..newest()
            })
            .await;
        !list.unwrap().value.is_empty()
    };
    assert!(listed("kitchen").await);
    let statement = "with moved as (insert into categories (id, slug, title) values ($1, 'garden', 'Garden') returning id)
         update products set category_id = moved.id from moved";
    let garden = sqlx::query(statement).bind(Uuid::now_v7());
    garden.execute(database.pool()).await.unwrap();
    assert!(
        project_catalogue::products(&state, &recent, &ids())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(listed("garden").await && !listed("kitchen").await);
}

#[tokio::test]
async fn every_sample_event_is_handled_and_poison_is_set_aside() {
    let state = tests::state::<Projector>().await;
    for name in [
        "product-changed",
        "categories-changed",
        "rates-changed",
        "order-paid",
        "activity-reported",
        "poison",
    ] {
        let sample = crate::tidy::read(&format!("events/projector-{name}.json"));
        let batch = serde_json::from_str(&sample).unwrap();
        let handle = |events| projector::handle(state.clone(), Arc::default(), events);
        let response = handle_together(&state, batch, handle).await;
        assert!(response.batch_item_failures.is_empty(), "{name}");
    }
    assert!(state.last_good.rates("DE").await.unwrap().is_some());
}
