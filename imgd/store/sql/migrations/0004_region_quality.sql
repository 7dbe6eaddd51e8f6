-- How well what a region shows can be recognised, from 0 to 1; NULL where its analyzer cannot tell.
ALTER TABLE regions ADD COLUMN quality REAL;
