//! The seeder against a shop in this process.

mod fake;

use std::cell::Cell;

use shared::domain::sealed::SealKey;
use sqlx::postgres::PgPoolOptions;

use super::catalogue::Catalogue;
use super::{Account, Seeded, Target, fill};
use fake::{Fake, Uploads};

/// The tree, and of the products as many as a test needs.
fn small_catalogue() -> Catalogue {
    let mut catalogue = Catalogue::read().unwrap();
    catalogue.products.truncate(12);
    catalogue
}

fn target(fake: &Fake) -> Target {
    let account = |role: &str| Account {
        email: format!("{role}@shop.example"),
        password: role.to_owned(),
        totp_secret: None,
    };
    Target {
        api_url: fake.origin(),
        admin: account("admin"),
        seller: account("seller"),
        customer: account("customer"),
        // Never connected to: `fill` does without the database.
        database: PgPoolOptions::new()
            .connect_lazy("postgres://127.0.0.1:1/none")
            .unwrap(),
        seal_key: SealKey::try_from("A".repeat(64).as_str()).unwrap(),
    }
}

async fn seeded(fake: &Fake) -> Seeded {
    fill(&target(fake), small_catalogue(), |_, _| ())
        .await
        .unwrap()
}

#[tokio::test]
async fn shop_is_filled_by_put_and_a_second_run_only_reads() {
    let fake = Fake::start(Uploads::Put).await;
    let wanted = small_catalogue();
    let pictures: usize = wanted
        .products
        .iter()
        .map(|product| product.pictures.len())
        .sum();
    let (last, total) = (Cell::new(0), Cell::new(0));
    let progress = |done, all| {
        last.set(done);
        total.set(all);
    };
    let added = fill(&target(&fake), small_catalogue(), progress)
        .await
        .unwrap();
    let categories = wanted.categories.len() as u64;
    let expected = Seeded {
        accounts: 0,
        categories,
        products: 12,
        pictures: pictures as u64,
    };
    assert_eq!(added, expected);
    assert_eq!(
        (last.get(), total.get()),
        (categories + 12, categories + 12)
    );
    let stock: i64 = wanted
        .products
        .iter()
        .flat_map(|p| &p.variants)
        .map(|v| v.stock)
        .sum();
    assert_eq!(fake.shop().stock_total(), stock);

    let writes = fake.shop().writes;
    assert_eq!(seeded(&fake).await, Seeded::default());
    assert_eq!(fake.shop().writes, writes);
}

#[tokio::test]
async fn form_uploads_carry_every_field_before_the_file() {
    let fake = Fake::start(Uploads::Form).await;
    let added = seeded(&fake).await;
    assert_eq!(added.products, 12);
    assert_eq!(fake.shop().pictures(), added.pictures);
}

#[tokio::test]
async fn what_is_missing_is_added_and_nothing_else() {
    let fake = Fake::start(Uploads::Put).await;
    seeded(&fake).await;
    let stock = fake.shop().stock_total();
    fake.shop().products[3]["images"] = serde_json::json!([]);
    fake.shop().products.remove(7);
    let added = seeded(&fake).await;
    assert_eq!((added.categories, added.products), (0, 1));
    assert!(added.pictures >= 2);
    assert_eq!(fake.shop().stock_total(), stock);
}

#[tokio::test]
async fn unavailable_api_is_tried_again() {
    let fake = Fake::start(Uploads::Put).await;
    fake.shop().refusals = 3;
    assert_eq!(seeded(&fake).await.products, 12);
    assert_eq!(fake.shop().refusals, 0);
}

#[tokio::test]
async fn product_that_a_cached_list_hid_is_not_made_twice() {
    let fake = Fake::start(Uploads::Put).await;
    seeded(&fake).await;
    fake.shop().hides_whole_list = true;
    let added = seeded(&fake).await;
    assert_eq!((added.products, added.pictures), (0, 0));
}

#[tokio::test]
async fn refused_step_is_named() {
    let fake = Fake::start(Uploads::Put).await;
    fake.shop().refuses_stock = true;
    let error = fill(&target(&fake), small_catalogue(), |_, _| ())
        .await
        .unwrap_err();
    let message = format!("{error:#}");
    assert!(
        message.contains("stocking ") && message.contains("not today"),
        "{message}"
    );
}
