//! How a statement reaches Postgres: as it is, or through a pooler that may give the server's connection to somebody
//! else after each transaction, as PgBouncer does in transaction mode.
//!
//! What is prepared there by a name is another connection's the next time, and what is prepared without one may be
//! another client's by the time it is used. So each statement goes in a transaction, and none has a name.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};

/// The connections to Postgres.
#[derive(Debug, Clone)]
pub(in crate::sql) struct PgDoor {
    pub(in crate::sql) pool: PgPool,
    pub(in crate::sql) is_behind_pooler: bool,
}

impl PgDoor {
    pub(in crate::sql) const fn way(&self) -> PgWay<'_> {
        PgWay { to: To::Any(&self.pool), is_behind_pooler: self.is_behind_pooler }
    }
}

/// The way of one statement.
#[derive(Debug)]
pub(in crate::sql) struct PgWay<'a> {
    to: To<'a>,
    is_behind_pooler: bool,
}

#[derive(Debug)]
enum To<'a> {
    /// Any connection.
    Any(&'a PgPool),
    /// That of a transaction.
    One(&'a mut PgConnection),
}

impl<'a> PgWay<'a> {
    pub(in crate::sql) const fn within(connection: &'a mut PgConnection, is_behind_pooler: bool) -> Self {
        Self { to: To::One(connection), is_behind_pooler }
    }
}

type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for PgWay<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Step>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match (self.to, self.is_behind_pooler) {
            (To::Any(pool), false) => pool.fetch_many(query),
            (To::One(connection), false) => connection.fetch_many(query),
            (To::One(connection), true) => connection.fetch_many(Unnamed(query)),
            (To::Any(pool), true) => {
                let steps = in_transaction(pool, query).map_ok(|steps| stream::iter(steps).map(Ok));
                steps.try_flatten_stream().boxed()
            }
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match (self.to, self.is_behind_pooler) {
            (To::Any(pool), false) => pool.fetch_optional(query),
            (To::One(connection), false) => connection.fetch_optional(query),
            (To::One(connection), true) => connection.fetch_optional(Unnamed(query)),
            (To::Any(pool), true) => Box::pin(async move {
                let steps = in_transaction(pool, query).await?;
                Ok(steps.into_iter().find_map(Either::right))
            }),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        match self.to {
            To::Any(pool) => pool.prepare_with(sql, parameters),
            To::One(connection) => connection.prepare_with(sql, parameters),
        }
    }
}

async fn in_transaction<'q, E: 'q + Execute<'q, Postgres>>(
    pool: &PgPool,
    query: E,
) -> sqlx::Result<Vec<Step>> {
    let mut tx = pool.begin().await?;
    let steps = tx.fetch_many(Unnamed(query)).try_collect().await?;
    tx.commit().await?;
    Ok(steps)
}

/// A statement that is prepared without a name, each time anew.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}
