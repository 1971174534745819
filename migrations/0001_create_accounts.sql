-- People who sign in. `email` is shown as typed, `email_key` is compared.
create table users (
    id uuid primary key,
    email text not null,
    email_key text not null,
    name text not null,
    password_hash text not null,
    role text not null default 'customer',
    wallet_id uuid not null,
    provider_customer_id text,
    email_verified_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint users_email_key_unique unique (email_key),
    constraint users_wallet_unique unique (wallet_id),
    constraint users_role_known check (role in ('customer', 'seller', 'admin'))
);

-- Single-use tokens sent by mail. Only the SHA-256 of a token is kept.
create table mail_tokens (
    token_hash bytea primary key,
    user_id uuid not null references users (id),
    purpose text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint mail_tokens_purpose_known check (purpose in ('verify_email', 'reset_password'))
);
create index mail_tokens_user on mail_tokens (user_id, purpose);
