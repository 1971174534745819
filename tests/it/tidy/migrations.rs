//! Migrations only expand: the release before goes on working on the schema that they leave. What
//! is allowed is in docs/ARCHITECTURE.md, under "Add a migration".

use super::{Finding, files_under, none, read};

/// Those before it made the schema, when there was no release before.
const FIRST_TO_EXPAND: u32 = 17;

#[test]
fn migrations_only_expand() {
    let mut findings = Vec::new();
    let mut numbers: Vec<u32> = Vec::new();
    for path in files_under("migrations") {
        let name = path.trim_start_matches("migrations/");
        let Some(number) = name
            .split('_')
            .next()
            .and_then(|number| number.parse().ok())
        else {
            findings.push(Finding::at(&path, 1, "is not called NNNN_verb_noun.sql"));
            continue;
        };
        if numbers.contains(&number) {
            findings.push(Finding::at(&path, 1, "has another one's number"));
        }
        numbers.push(number);
        if number >= FIRST_TO_EXPAND {
            let broken = broken_rules(&read(&path)).into_iter();
            findings.extend(broken.map(|(line, words)| Finding::at(&path, line, words)));
        }
    }
    assert!(numbers.len() > 10);
    none(findings);
}

/// A statement in lower case, with one space between words, without comments and without the
/// bodies of functions; and the line on which it begins.
struct Statement {
    line: usize,
    text: String,
}

/// The rules that a migration breaks, each with the line of the statement.
fn broken_rules(sql: &str) -> Vec<(usize, String)> {
    let statements = statements(sql);
    let of = |begin: &str| -> Vec<String> {
        let begins = statements
            .iter()
            .filter_map(|statement| statement.text.strip_prefix(begin));
        begins
            .map(|rest| word(rest.trim_start_matches("if not exists ")))
            .collect()
    };
    let made = of("create table ");
    let mut broken = Vec::new();
    for Statement { line, text } in &statements {
        let found = if let Some(rest) = text.strip_prefix("alter table ") {
            let rest = rest
                .trim_start_matches("if exists ")
                .trim_start_matches("only ");
            let table = word(rest);
            let is_new = made.contains(&table);
            let actions = rest[table.len()..].to_owned();
            if is_new { None } else { action_fault(&actions) }
        } else if let Some(rest) = text.strip_prefix("create unique index ") {
            unique_fault(rest, &made, &statements)
        } else {
            statement_fault(text)
        };
        broken.extend(found.map(|words| (*line, words)));
    }
    broken
}

fn statement_fault(text: &str) -> Option<String> {
    const ALLOWED: [&str; 12] = [
        "create table ",
        "create index ",
        "create function ",
        "create or replace function ",
        "create trigger ",
        "create or replace trigger ",
        "create view ",
        "create sequence ",
        "create extension ",
        "comment on ",
        "grant ",
        "insert into ",
    ];
    // Everybody may call a new function until it is taken from them.
    if text.starts_with("revoke all on function ") && text.ends_with(" from public") {
        return None;
    }
    if let Some(block) = text.strip_prefix("do ") {
        const FORBIDDEN: [&str; 6] = ["drop", "rename", "truncate", "delete", "revoke", "alter"];
        let mut words = block.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let found = words.find(|word| FORBIDDEN.contains(word))?;
        return Some(format!(
            "`{found}` in a block: write the statement by itself"
        ));
    }
    // New columns of old rows are filled by it; it changes nothing that the release before reads.
    if text.starts_with("update ") {
        return None;
    }
    let allowed = ALLOWED.iter().any(|begin| text.starts_with(begin));
    let beginning: Vec<&str> = text.split(' ').take(3).collect();
    (!allowed).then(|| {
        format!(
            "`{} …` takes something from the release before",
            beginning.join(" ")
        )
    })
}

/// What is wrong with changes to a table that the release before knows.
fn action_fault(actions: &str) -> Option<String> {
    let actions: Vec<&str> = split(actions);
    let dropped: Vec<String> = actions
        .iter()
        .filter_map(|action| action.strip_prefix("drop constraint "))
        .map(|rest| word(rest.trim_start_matches("if exists ")))
        .collect();
    let added: Vec<String> = actions
        .iter()
        .filter_map(|action| action.strip_prefix("add constraint "))
        .map(word)
        .collect();
    for action in &actions {
        if let Some(rest) = action.strip_prefix("add column ") {
            let has = |words: &str| rest.contains(words);
            if has("not null") && !has("default") && !has("generated") {
                return Some(
                    "a new column is null or has a default: the release before leaves it out"
                        .into(),
                );
            }
            if has(" unique") || has("primary key") {
                return Some(
                    "a new column cannot be unique at once: the release before leaves it out"
                        .into(),
                );
            }
        } else if let Some(rest) = action.strip_prefix("add constraint ") {
            if !dropped.contains(&word(rest)) {
                return Some("a new constraint refuses what the release before writes; only a wider one in place of another of its name".into());
            }
        } else if let Some(rest) = action.strip_prefix("drop constraint ") {
            if !added.contains(&word(rest.trim_start_matches("if exists "))) {
                return Some("a constraint goes only in favour of a wider one of its name, in the same statement".into());
            }
        } else if action.starts_with("alter column ") || action.starts_with("alter ") {
            let widens = action.ends_with("drop not null") || action.contains(" set default ");
            if !widens {
                return Some("a column keeps its type, and stays as null as it was".into());
            }
        } else {
            return Some(format!(
                "`{action}` takes something from the release before"
            ));
        }
    }
    None
}

/// A unique index is on a new table, or on new columns only.
fn unique_fault(rest: &str, made: &[String], statements: &[Statement]) -> Option<String> {
    let (_, on) = rest.split_once(" on ")?;
    let table = word(on);
    let (_, columns) = on.split_once('(')?;
    let columns = columns.split(')').next().unwrap_or_default();
    let is_added = |column: &str| {
        let begin = format!("alter table {table} ");
        let added = format!("add column {} ", word(column.trim()));
        let mut changes = statements.iter();
        changes
            .any(|statement| statement.text.starts_with(&begin) && statement.text.contains(&added))
    };
    let fine = made.contains(&table) || columns.split(',').any(is_added);
    (!fine).then(|| "a unique index on old columns refuses what the release before writes".into())
}

fn word(text: &str) -> String {
    let end = text.find([' ', '(', ',']).unwrap_or(text.len());
    text[..end].to_owned()
}

/// The parts between commas that are in no bracket.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (offset, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[begin..offset].trim());
                begin = offset + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

/// Cuts a file into statements. A text between quotes becomes `''`; a function's body is left out,
/// since what it does is done later, and a block's is kept.
fn statements(sql: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (sql, 1);
    let mut present = Statement {
        line: 0,
        text: String::new(),
    };
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '\'' => {
                present.text.push_str("''");
                rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
            }
            '$' if rest.starts_with("$$") => {
                let end = rest[2..].find("$$").map_or(rest.len(), |end| end + 4);
                if present.text.starts_with("do ") {
                    present.text.push_str(&squeezed(&rest[..end]));
                }
                end
            }
            ';' => {
                present.text = squeezed(&present.text);
                found.push(std::mem::replace(
                    &mut present,
                    Statement {
                        line: 0,
                        text: String::new(),
                    },
                ));
                1
            }
            _ => {
                if present.text.is_empty() && !letter.is_whitespace() {
                    present.line = line;
                }
                if !(present.text.is_empty() && letter.is_whitespace()) {
                    present.text.extend(letter.to_lowercase());
                }
                letter.len_utf8()
            }
        };
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    found
}

fn squeezed(text: &str) -> String {
    let without_comments = text
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let words: Vec<String> = without_comments
        .flat_map(str::split_whitespace)
        .map(str::to_lowercase)
        .collect();
    words.join(" ")
}

#[test]
fn what_expands_is_allowed() {
    let sql = "
        -- drop table in a comment is none
        create table notes (id uuid primary key, text text not null);
        create unique index notes_text on notes (text);
        alter table notes add constraint notes_short check (length(text) < 99);
        alter table orders
            add column note text,
            add column priority integer not null default 0,
            add column code text check (code <> '; drop table x');
        create unique index orders_code on orders (code) where code is not null;
        alter table orders drop constraint orders_status_known,
            add constraint orders_status_known check (status in ('paid', 'held'));
        alter table orders alter column note set default 'none', alter column note drop not null;
        create index orders_note on orders (note);
        create or replace function f() returns trigger language plpgsql as $$
        begin delete from notes; drop table notes; return null; end $$;
        do $$ begin create role shop nologin; exception when duplicate_object then null; end $$;
        update orders set note = '';
        insert into notes (id, text) values (gen_random_uuid(), 'a');
        grant select on notes to checkout;";
    assert_eq!(broken_rules(sql), []);
}

#[test]
fn what_takes_something_from_the_release_before_is_refused() {
    for (sql, words) in [
        ("drop table orders;", "`drop table orders …`"),
        ("drop index orders_x;", "`drop index orders_x …`"),
        ("truncate orders;", "`truncate orders …`"),
        ("delete from tax_rates;", "`delete from tax_rates …`"),
        ("revoke select on orders from ops;", "`revoke select on …`"),
        ("alter type mood add value 'x';", "`alter type mood …`"),
        ("alter table orders drop column note;", "`drop column note`"),
        (
            "alter table orders rename column a to b;",
            "`rename column a to b`",
        ),
        ("alter table orders rename to sales;", "`rename to sales`"),
        (
            "alter table orders add column n int not null;",
            "is null or has a default",
        ),
        (
            "alter table orders add column n int unique;",
            "cannot be unique at once",
        ),
        (
            "alter table orders alter column n type bigint;",
            "keeps its type",
        ),
        (
            "alter table orders alter column n set not null;",
            "keeps its type",
        ),
        (
            "alter table orders alter column n drop default;",
            "keeps its type",
        ),
        (
            "alter table orders add constraint c check (n > 0);",
            "a new constraint",
        ),
        (
            "alter table orders drop constraint c;",
            "in favour of a wider one",
        ),
        (
            "alter table orders drop constraint c, add constraint d check (true);",
            "in favour of",
        ),
        (
            "create unique index i on orders (status);",
            "a unique index on old columns",
        ),
        (
            "do $$ begin drop table orders; end $$;",
            "`drop` in a block",
        ),
    ] {
        let broken = broken_rules(&format!("\n{sql}"));
        assert!(
            broken.len() == 1 && broken[0].0 == 2 && broken[0].1.contains(words),
            "{sql}: {broken:?}"
        );
    }
}
