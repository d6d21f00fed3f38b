// Pure logic of the month calendar. Weeks begin on Monday.

/** "2026-11" and a number of months later. */
export function addMonths(month: string, n: number): string {
  const [year = 1970, number = 1] = month.split('-').map(Number);
  const date = new Date(Date.UTC(year, number - 1 + n, 1));
  return date.toISOString().slice(0, 7);
}

/** The days of a month, after as many nulls as it begins past Monday. */
export function monthCells(month: string): (string | null)[] {
  const [year = 1970, number = 1] = month.split('-').map(Number);
  const before = (new Date(Date.UTC(year, number - 1, 1)).getUTCDay() + 6) % 7;
  const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
  const days = Array.from({ length }, (_, i) => `${month}-${String(i + 1).padStart(2, '0')}`);
  return [...Array.from({ length: before }, () => null), ...days];
}
