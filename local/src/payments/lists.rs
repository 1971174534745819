//! Lists: newest first, by cursor, with Stripe's filters on `created`.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::form::Params;
use super::objects::Object;
use super::store::Table;

/// The parameters that every list takes.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    created_min: i64,
    created_max: i64,
}

impl Page {
    pub(super) fn read(params: &mut Params) -> Result<Self, ApiError> {
        let limit = params.integer("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let message = "Invalid limit: must be between 1 and 100.";
            return Err(ApiError::invalid(message)
                .code("parameter_invalid_integer")
                .param("limit"));
        }
        let (starting_after, ending_before) =
            (params.text("starting_after"), params.text("ending_before"));
        if starting_after.is_some() && ending_before.is_some() {
            let message = "You may only specify one of these parameters: starting_after, \
                           ending_before.";
            return Err(ApiError::invalid(message));
        }
        let (created_min, created_max) = created(params)?;
        let limit = usize::try_from(limit).unwrap_or(10);
        Ok(Self {
            limit,
            starting_after,
            ending_before,
            created_min,
            created_max,
        })
    }

    /// The page's rows, each shown by `show`.
    pub(super) fn of<T: Object>(
        &self,
        url: &str,
        table: &Table<T>,
        keep: impl Fn(&T) -> bool,
        show: impl Fn(&T) -> Value,
    ) -> Result<Value, ApiError> {
        let in_time = |row: &&T| (self.created_min..=self.created_max).contains(&row.created());
        let rows: Vec<&T> = table
            .newest_first()
            .filter(in_time)
            .filter(|row| keep(row))
            .collect();
        let (rows, has_more) = match (&self.starting_after, &self.ending_before) {
            (Some(cursor), _) => {
                let rest = &rows[position(&rows, cursor, "starting_after")? + 1..];
                (&rest[..rest.len().min(self.limit)], rest.len() > self.limit)
            }
            (None, Some(cursor)) => {
                let before = &rows[..position(&rows, cursor, "ending_before")?];
                (
                    &before[before.len().saturating_sub(self.limit)..],
                    before.len() > self.limit,
                )
            }
            (None, None) => (&rows[..rows.len().min(self.limit)], rows.len() > self.limit),
        };
        let data: Vec<_> = rows.iter().map(|row| show(row)).collect();
        Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
    }
}

fn position<T: Object>(rows: &[&T], cursor: &str, param: &str) -> Result<usize, ApiError> {
    rows.iter()
        .position(|row| row.id() == cursor)
        .ok_or_else(|| ApiError::no_such_param("object", cursor, param))
}

/// The first and the last second of `created`.
fn created(params: &mut Params) -> Result<(i64, i64), ApiError> {
    if let Some(exact) = params.integer("created")? {
        return Ok((exact, exact));
    }
    let min = params.integer("created[gte]")?;
    let above = params
        .integer("created[gt]")?
        .map(|at| at.saturating_add(1));
    let max = params.integer("created[lte]")?;
    let below = params
        .integer("created[lt]")?
        .map(|at| at.saturating_sub(1));
    Ok((
        min.or(above).unwrap_or(i64::MIN),
        max.or(below).unwrap_or(i64::MAX),
    ))
}
