use rustix::process::nice;

/// Makes everything started from this thread yield to model requests where the cores are busy: management calls,
/// the database, shipping. On a free core it makes no difference.
pub(super) fn give_way() {
    if let Err(error) = nice(NICENESS) {
        tracing::warn!(%error, "background work can't be made to yield to requests");
    }
}

/// A thirtieth of a request's share, about: enough for a lease and a management call at any time; records catch up
/// when requests are fewer.
const NICENESS: i32 = 15;
