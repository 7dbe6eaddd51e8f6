-- name: known
SELECT photos.id FROM json_each(?) AS wanted JOIN photos ON photos.id = wanted.value;
