-- A page of the projects of one status, by name.
DROP INDEX projects_by_status;
CREATE INDEX projects_by_status ON projects (status, name, id);
