-- What was measured on another device, or of another generation, says nothing of this one. Of the rest, older
-- photos count for less and less.
-- name: put
INSERT INTO costs (task, device, generation, photos, seconds)
SELECT :task, :device, COALESCE((SELECT generation FROM analyzers WHERE name = :task), 0), :photos, :seconds
WHERE true
ON CONFLICT (task) DO UPDATE SET
    photos = excluded.photos + CASE
        WHEN costs.device <> excluded.device OR costs.generation <> excluded.generation THEN 0
        ELSE costs.photos * MIN(1.0, :most / costs.photos) END,
    seconds = excluded.seconds + CASE
        WHEN costs.device <> excluded.device OR costs.generation <> excluded.generation THEN 0
        ELSE costs.seconds * MIN(1.0, :most / costs.photos) END,
    device = excluded.device,
    generation = excluded.generation;

-- name: all
SELECT costs.task, costs.device, costs.photos, costs.seconds,
       costs.generation <> COALESCE((SELECT generation FROM analyzers WHERE name = costs.task), 0)
FROM costs;
