/** Beside the scroll bar: where something went wrong, and where something was found. */
const ticks = 200

/** Lines close to one another are one place, from 0 to `ticks`. When they are everywhere they say nothing. */
function placesOf(lines: readonly number[], total: number): number[] {
  const places = new Set<number>()
  for (const line of lines) places.add(Math.floor((line / total) * ticks))
  return places.size > ticks / 2 ? [] : [...places]
}

export function Rail(props: {
  total: number
  problems: readonly number[]
  hits: readonly number[]
}) {
  const { total } = props
  if (total === 0) return null
  const draw = (lines: readonly number[], className: string) =>
    placesOf(lines, total).map((place) => (
      <i
        key={`${className}${place}`}
        className={className}
        style={{ top: `${(place / ticks) * 100}%` }}
      />
    ))
  return (
    <div className="log-rail" aria-hidden="true">
      {draw(props.problems, 'rail-problem')}
      {draw(props.hits, 'rail-hit')}
    </div>
  )
}
