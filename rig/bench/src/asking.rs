//! Asking a driver from a task: the driver's thread does it, the task waits no longer than it must.
//!
//! Boundary: between tokio's tasks and the threads of `brickproof-instruments`.

use brickproof_instruments::{Deadline, Failure, Owner};
use brickproof_units::Span;
use tokio::sync::oneshot;

/// Has the driver do something within `within`. It is queued when this is first polled, after what was queued before.
///
/// # Errors
/// The driver's own, or that it did not come back.
pub(crate) async fn ask<T, R>(
    owner: &Owner<T>,
    asked: &str,
    within: Span,
    act: impl FnOnce(&mut T, Deadline) -> Result<R, Failure> + Send + 'static,
) -> Result<R, Failure>
where
    T: ?Sized + Send + 'static,
    R: Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let deadline = Deadline::after(within);
    owner.send(asked, move |driver| {
        // Nobody listens any more if the task gave up.
        let _ = answer.send(act(driver, deadline));
    })?;
    match tokio::time::timeout(Owner::<T>::patience(deadline), answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(owner.gone(asked)),
        Err(_) => Err(owner.no_answer(asked, deadline)),
    }
}
