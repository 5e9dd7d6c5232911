//! How do many rows get into one statement? A file with one tuple of placeholders, repeated.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::fault::Fault;
use crate::tx::{Sql, Tx, sql};

/// How many tuples a statement may have: few sizes, so that each is prepared once.
const SIZES: [usize; 3] = [64, 8, 1];

/// A statement whose text contains `values (?, …)` once, for any number of rows.
pub(crate) struct Rows {
    texts: [SqlStr; SIZES.len()],
}

impl Rows {
    /// Only for files of `queries/`: text that is known when the program is built.
    pub(crate) fn of(text: &'static str) -> Self {
        let start = text.rfind("values (").map_or(text.len(), |at| at + "values ".len());
        let end = text[start..].find(')').map_or(text.len(), |at| start + at + 1);
        let (head, tuple, tail) = (&text[..start], &text[start..end], &text[end..]);
        debug_assert!(!tuple.is_empty(), "the file has `values (?, …)`");
        Self {
            texts: SIZES
                .map(|size| AssertSqlSafe(Arc::<str>::from(format!("{head}{}{tail}", vec![tuple; size].join(", ")))).into_sql_str()),
        }
    }

    /// As few statements as possible for all `items`.
    pub(crate) fn statements<'i, T>(
        &'i self,
        items: &'i [T],
        bind: impl Fn(Sql, &T) -> Sql + Send + 'i,
    ) -> impl Iterator<Item = Sql> + Send + 'i
    where
        T: Sync,
    {
        let mut rest = items;
        std::iter::from_fn(move || {
            let at = SIZES.iter().position(|size| *size <= rest.len())?;
            let (now, later) = rest.split_at(SIZES[at]);
            rest = later;
            Some(now.iter().fold(sql(self.texts[at].clone()), &bind))
        })
    }

    /// Executes for all `items`; returns the rows touched.
    pub(crate) async fn execute<T>(&self, tx: &mut Tx<'_>, items: &[T], bind: impl Fn(Sql, &T) -> Sql + Send) -> Result<u64, Fault>
    where
        T: Sync,
    {
        let mut touched = 0;
        for statement in self.statements(items, bind) {
            touched += tx.execute(statement).await?;
        }
        Ok(touched)
    }
}
