-- "#42" over all projects, and what is open now without reading what each project ever had.
CREATE INDEX executions_by_issue ON executions (issue_number, created_at, id) WHERE issue_number IS NOT NULL;
CREATE INDEX execution_counts_open ON execution_counts (status, count) WHERE count > 0;
