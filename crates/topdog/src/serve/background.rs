use rustix::process::nice;

/// Makes everything started from this thread yield to model requests where the cores are busy: management calls,
/// the database, shipping. On a free core it makes no difference.
pub(super) fn give_way() {
    if let Err(error) = nice(NICENESS) {
        tracing::warn!(%error, "background work can't be made to yield to requests");
    }
}

/// A tenth of a request's share, about: records catch up while requests are served, and never the other way round.
const NICENESS: i32 = 10;
