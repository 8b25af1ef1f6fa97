//! Several verbs in one message to the writer, so that they come to stand in one transaction.

use crate::store::Error;
use crate::store::sqlite::writer::{Answer, Job, Purpose, job};
use crate::store::task::{Claimed, Finished, Step, Stepped};

/// Waits for what comes of a step.
pub(super) enum Waiting {
    Started(Answer<()>),
    Unclaimed(Answer<()>),
    Finished(Answer<Finished>),
    Claimed(Answer<Vec<Claimed>>),
}

/// Makes a job of a step.
pub(super) fn begin(step: Step) -> (Box<dyn Job>, Waiting) {
    match step {
        Step::Start(start) => {
            let (job, answer) = job(Purpose::Record, move |part| part.start(&start));
            (job, Waiting::Started(answer))
        }
        Step::Unclaim(unclaim) => {
            let (job, answer) = job(Purpose::Record, move |part| part.unclaim(&unclaim));
            (job, Waiting::Unclaimed(answer))
        }
        Step::Finish(finish) => {
            let (job, answer) = job(Purpose::Record, move |part| part.finish(&finish));
            (job, Waiting::Finished(answer))
        }
        Step::Claim(claim) => {
            let (job, answer) = job(Purpose::Work, move |part| part.claim(&claim));
            (job, Waiting::Claimed(answer))
        }
    }
}

impl Waiting {
    /// Returns the answer when it is there.
    pub(super) async fn wait(self) -> Stepped {
        match self {
            Self::Started(answer) => Stepped::Started(received(answer).await),
            Self::Unclaimed(answer) => Stepped::Unclaimed(received(answer).await),
            Self::Finished(answer) => Stepped::Finished(received(answer).await.map(Box::new)),
            Self::Claimed(answer) => Stepped::Claimed(received(answer).await),
        }
    }
}

async fn received<T>(answer: Answer<T>) -> Result<T, Error> {
    answer.await.map_err(|_| Error::Closed)?
}
