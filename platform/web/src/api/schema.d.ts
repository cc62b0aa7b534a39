// Made from platform/server/api/openapi.yaml by `npm run codegen`. Do not edit.
export interface paths {
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process is alive */
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The platform can do its work (its database can be written, log lines are stored, the disk has room) */
        get: operations["readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What Prometheus reads, for administrators and for the token of the setting metrics_token_file */
        get: operations["metrics_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the first administrator is still to be made */
        get: operations["setup_show"];
        put?: never;
        /** Make the first administrator with the one-time token and sign in */
        post: operations["setup_finish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["auth_login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A new access token for the refresh cookie, which is replaced */
        post: operations["auth_refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End the session of the refresh cookie */
        post: operations["auth_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["me_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch: operations["me_update"];
        trace?: never;
    };
    "/api/projects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["projects_list"];
        put?: never;
        post: operations["projects_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get: operations["projects_show"];
        /** @description Members that are absent stay as they are. Tokens and keys are write-only; null keeps them. */
        put: operations["projects_update"];
        post?: never;
        /** @description Stops it, removes its secrets and the data on its node. Executions and logs stay readable. */
        delete: operations["projects_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["projects_start"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Nothing new starts; what runs goes on. Started again by start. */
        post: operations["projects_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["projects_stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/restart": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["projects_restart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        /** The agent's own log, read from its node */
        get: operations["projects_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/env": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get: operations["env_list"];
        /** @description Replaces the whole set. An encrypted variable whose value is null keeps its value. */
        put: operations["env_replace"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/executions": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Either `issue_number`, or `title` with `prompt`. */
        post: operations["executions_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/projects/{id}/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        get: operations["schedules_list"];
        put?: never;
        post: operations["schedules_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/schedules/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        get: operations["schedules_show"];
        /** @description Members that are absent stay as they are. */
        put: operations["schedules_update"];
        post?: never;
        delete: operations["schedules_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/schedules/{id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** One execution now, besides those that are due */
        post: operations["schedules_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/checks/schedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The next times of a cron text, without saving anything */
        post: operations["checks_schedule"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/checks/github": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Try a repository and token without saving anything */
        post: operations["checks_github"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/checks/claude": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Try a Claude key without saving anything */
        post: operations["checks_claude"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["executions_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        get: operations["executions_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change how urgent an execution is, until it has ended */
        patch: operations["executions_update"];
        trace?: never;
    };
    "/api/executions/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["executions_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description A new execution of the same work item, with the same session or a fresh one. */
        post: operations["executions_retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        get: operations["executions_attempts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/remarks": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        /** What people said to an execution on GitHub */
        get: operations["executions_remarks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        /**
         * Lines "<unix ms> <stream> <text>" by line number
         * @description A full range of a complete log never changes and may be kept for ever; it has an ETag.
         */
        get: operations["executions_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/log/raw": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        /**
         * The text alone, as a download
         * @description Takes Range (one range of bytes), If-Range and If-None-Match.
         */
        get: operations["executions_log_raw"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/log/marks": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        /** Lines worth jumping to */
        get: operations["executions_log_marks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/executions/{id}/log/search": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        /**
         * Lines that match
         * @description Searches for at most two seconds; go on from `next` while it is less than `lines`.
         */
        get: operations["executions_log_search"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["queue_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Nothing starts in any project; what runs goes on, what comes is queued. Survives restarts. */
        post: operations["queue_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["queue_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** @description Replaces all limits on how many executions of one person, one label or one node work at once. */
        put: operations["queue_limits_replace"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["nodes_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["stats_show"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ws/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A one-time ticket for /api/ws or /api/events */
        post: operations["ws_ticket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Live data (WebSocket; a ticket or an access token is the permission). Messages are LiveRequest and LiveMessage. */
        get: operations["live_connect"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The same as server-sent events (a ticket or an access token is the permission). Each event's data is a LiveMessage. */
        get: operations["events_stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/node/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Node link (WebSocket, binary; the node's key is the permission) */
        get: operations["node_connect"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @enum {string} */
        ExecutionStatus: "queued" | "assigned" | "preparing" | "running" | "waiting_input" | "waiting_approval" | "waiting_quota" | "cancelling" | "succeeded" | "failed" | "timed_out" | "budget_exhausted" | "cancelled";
        /** @enum {string} */
        ProjectStatus: "active" | "paused" | "stopped" | "archived" | "deleted";
        /** @enum {string} */
        ProjectHealth: "healthy" | "failing" | "misconfigured" | "stopped" | "unknown";
        /** @enum {string} */
        AgentState: "stopped" | "starting" | "running" | "backing_off" | "degraded" | "unreachable";
        /** @enum {string} */
        Role: "admin" | "user" | "viewer";
        /** @enum {string} */
        Permission: "READ" | "RUN" | "MANAGE" | "ADMINISTER";
        /** @enum {string} */
        Language: "ja" | "en";
        /** @enum {string} */
        Driver: "claude" | "command" | "noop";
        /** @enum {string} */
        Trigger: "label" | "comment" | "ui" | "api" | "retry" | "schedule" | "webhook";
        /**
         * Format: date-time
         * @example 2026-11-22T10:06:07.037Z
         */
        Time: string;
        /** Format: date-time */
        TimeOrNull: string | null;
        TextOrNull: string | null;
        Sentence: {
            en: string;
            ja: string;
        };
        /** @enum {string} */
        Priority: "low" | "normal" | "high" | "critical";
        CodedSentence: {
            /** @example no_node */
            code: string;
            en: string;
            ja: string;
        };
        Problem: {
            /** @example about:blank */
            type: string;
            title: string;
            status: number;
            /**
             * @description Stable name; the UI has a sentence for it
             * @example invalid
             */
            code: string;
            detail: string;
            field?: string;
            errors?: {
                field: string;
                code: string;
                detail: string;
            }[];
            request_id: string;
        };
        Health: {
            /** @enum {string} */
            status: "ok";
            version: string;
        };
        Readiness: {
            /** @enum {string} */
            status: "ok";
            version: string;
            checks: components["schemas"]["HealthCheck"][];
        };
        /** @description A problem, and what was looked at */
        NotReady: {
            type: string;
            title: string;
            status: number;
            /** @description Of the first check that failed */
            code: string;
            detail: string;
            request_id: string;
            checks: components["schemas"]["HealthCheck"][];
        };
        HealthCheck: {
            /** @enum {string} */
            name: "database" | "log_writer" | "disk";
            ok: boolean;
            code: components["schemas"]["TextOrNull"];
            detail: components["schemas"]["TextOrNull"];
        };
        SetupState: {
            required: boolean;
            version: string;
        };
        SetupRequest: {
            token: string;
            username: string;
            password: string;
            language?: components["schemas"]["Language"];
        };
        LoginRequest: {
            username: string;
            password: string;
        };
        User: {
            id: number;
            username: string;
            role: components["schemas"]["Role"];
            language: components["schemas"]["Language"];
        };
        Session: {
            access_token: string;
            /** @description Seconds */
            expires_in: number;
            user: components["schemas"]["Me"];
        };
        Me: {
            id: number;
            username: string;
            role: components["schemas"]["Role"];
            language: components["schemas"]["Language"];
            permissions: components["schemas"]["Permission"][];
        };
        MeUpdate: {
            language?: components["schemas"]["Language"];
        };
        ProjectCounts: {
            queued: number;
            /** @description assigned, preparing, running, cancelling */
            running: number;
            waiting: number;
            succeeded: number;
            /** @description failed, timed_out, budget_exhausted */
            failed: number;
        };
        SecretState: {
            set: boolean;
            updated_at: components["schemas"]["TimeOrNull"];
        };
        ProjectAgent: {
            state: components["schemas"]["AgentState"];
            detail: components["schemas"]["TextOrNull"];
            node_id: components["schemas"]["TextOrNull"];
            pid: number | null;
            restarts: number;
            since: components["schemas"]["TimeOrNull"];
        };
        Project: {
            id: string;
            name: string;
            github_owner: string;
            github_repo: string;
            /** @description The repository's page */
            github_url: string;
            github_api_url: string;
            /** @description Empty: found from github_api_url */
            github_git_url: string;
            anthropic_base_url: string;
            /** @description Where its files are on the node */
            working_directory: string;
            status: components["schemas"]["ProjectStatus"];
            health: components["schemas"]["ProjectHealth"];
            health_reason: components["schemas"]["CodedSentence"] | null;
            default_branch: components["schemas"]["TextOrNull"];
            trigger_label: string;
            label_prefix: string;
            poll_interval_seconds: number;
            timeout_seconds: number;
            silence_timeout_seconds: number;
            max_concurrent: number;
            /** @description Its share of turns when several projects wait for the same node or limit */
            queue_weight: number;
            /** @description Further attempts the platform makes by itself; null: as many as the kind of failure allows */
            retry_limit: number | null;
            /**
             * @description When work may start: "mon-fri 09:00-18:00; sat 10:00-14:00"; empty: always
             * @example mon-fri 09:00-18:00
             */
            active_hours: string;
            /**
             * @description IANA name, of the active hours; empty: UTC
             * @example Asia/Tokyo
             */
            time_zone: string;
            driver: components["schemas"]["Driver"];
            command: string[];
            /** @description Empty: the CLI's own default */
            model: string;
            permission_mode: string;
            allowed_tools: string[];
            disallowed_tools: string[];
            max_turns: number | null;
            max_budget_usd: number | null;
            instructions: string;
            language: components["schemas"]["Language"];
            allow_workflow_files: boolean;
            secrets: {
                github_token: components["schemas"]["SecretState"];
                anthropic_api_key: components["schemas"]["SecretState"];
            };
            agent: components["schemas"]["ProjectAgent"];
            counts: components["schemas"]["ProjectCounts"];
            last_execution: components["schemas"]["ExecutionSummary"] | null;
            version: number;
            created_at: components["schemas"]["Time"];
            updated_at: components["schemas"]["Time"];
        };
        ProjectPage: {
            items: components["schemas"]["Project"][];
            next_cursor: components["schemas"]["TextOrNull"];
        };
        ProjectCreate: {
            /** @description Slug; made from the repository's name when absent */
            id?: string;
            /** @description owner/repo when absent */
            name?: string;
            github_owner: string;
            github_repo: string;
            github_token?: string | null;
            anthropic_api_key?: string | null;
            github_api_url?: string;
            github_git_url?: string;
            anthropic_base_url?: string;
            default_branch?: string | null;
            trigger_label?: string;
            label_prefix?: string;
            poll_interval_seconds?: number;
            timeout_seconds?: number;
            silence_timeout_seconds?: number;
            max_concurrent?: number;
            queue_weight?: number;
            retry_limit?: number | null;
            active_hours?: string;
            time_zone?: string;
            driver?: components["schemas"]["Driver"];
            command?: string[];
            model?: string;
            permission_mode?: string;
            allowed_tools?: string[];
            disallowed_tools?: string[];
            max_turns?: number | null;
            max_budget_usd?: number | null;
            instructions?: string;
            language?: components["schemas"]["Language"];
            allow_workflow_files?: boolean;
            /**
             * @description Start at once (status active), else stopped
             * @default true
             */
            start?: boolean;
        };
        ProjectUpdate: {
            name?: string;
            github_owner?: string;
            github_repo?: string;
            github_token?: string | null;
            anthropic_api_key?: string | null;
            github_api_url?: string;
            github_git_url?: string;
            anthropic_base_url?: string;
            default_branch?: string | null;
            trigger_label?: string;
            label_prefix?: string;
            poll_interval_seconds?: number;
            timeout_seconds?: number;
            silence_timeout_seconds?: number;
            max_concurrent?: number;
            queue_weight?: number;
            retry_limit?: number | null;
            active_hours?: string;
            time_zone?: string;
            driver?: components["schemas"]["Driver"];
            command?: string[];
            model?: string;
            permission_mode?: string;
            allowed_tools?: string[];
            disallowed_tools?: string[];
            max_turns?: number | null;
            max_budget_usd?: number | null;
            instructions?: string;
            language?: components["schemas"]["Language"];
            allow_workflow_files?: boolean;
        };
        EnvironmentVariable: {
            key: string;
            /** @description Null for encrypted ones */
            value: string | null;
            encrypted: boolean;
        };
        Environment: {
            items: components["schemas"]["EnvironmentVariable"][];
        };
        EnvironmentUpdate: {
            items: {
                key: string;
                value?: string | null;
                encrypted?: boolean;
            }[];
        };
        /**
         * @description What happens to times at which the platform was down
         * @enum {string}
         */
        MissedPolicy: "run_once" | "skip";
        /**
         * @description What happens while the last run goes on
         * @enum {string}
         */
        OverlapPolicy: "skip" | "queue" | "cancel_previous";
        Schedule: {
            id: string;
            project_id: string;
            name: string;
            /**
             * @example 30 2 * * mon-fri
             * @example @daily
             */
            cron: string;
            /** @example Asia/Tokyo */
            time_zone: string;
            enabled: boolean;
            /** @description Up to so much later, always the same for one schedule */
            jitter_seconds: number;
            missed: components["schemas"]["MissedPolicy"];
            overlap: components["schemas"]["OverlapPolicy"];
            /** @description Null: title and prompt */
            issue_number: number | null;
            title: components["schemas"]["TextOrNull"];
            prompt: components["schemas"]["TextOrNull"];
            priority: components["schemas"]["Priority"];
            next_at: components["schemas"]["TimeOrNull"];
            /** @description The next five times; while it is off those that would be */
            next: components["schemas"]["Time"][];
            last: {
                at: components["schemas"]["Time"];
                /** @enum {string} */
                result: "started" | "waiting" | "overlapped" | "missed" | "retrying" | "failed";
                detail: components["schemas"]["TextOrNull"];
                execution_id: components["schemas"]["TextOrNull"];
                execution_status: components["schemas"]["ExecutionStatus"] | null;
            } | null;
            created_by: components["schemas"]["TextOrNull"];
            version: number;
            created_at: components["schemas"]["Time"];
            updated_at: components["schemas"]["Time"];
        };
        ScheduleList: {
            items: components["schemas"]["Schedule"][];
        };
        ScheduleCreate: {
            name: string;
            cron: string;
            /** @description UTC when absent */
            time_zone?: string;
            enabled?: boolean;
            jitter_seconds?: number;
            missed?: components["schemas"]["MissedPolicy"];
            overlap?: components["schemas"]["OverlapPolicy"];
            /** @description Or title and prompt */
            issue_number?: number | null;
            title?: string | null;
            prompt?: string | null;
            priority?: components["schemas"]["Priority"];
        };
        ScheduleUpdate: {
            name?: string;
            cron?: string;
            time_zone?: string;
            enabled?: boolean;
            jitter_seconds?: number;
            missed?: components["schemas"]["MissedPolicy"];
            overlap?: components["schemas"]["OverlapPolicy"];
            issue_number?: number | null;
            title?: string | null;
            prompt?: string | null;
            priority?: components["schemas"]["Priority"];
        };
        SchedulePreviewRequest: {
            cron: string;
            time_zone?: string;
        };
        SchedulePreview: {
            next: components["schemas"]["Time"][];
        };
        QueuePauseRequest: {
            /** @description Shown to everybody who waits */
            note?: string | null;
        };
        QueueLimit: {
            /** @enum {string} */
            kind: "user" | "label" | "node";
            /** @description Null: over all projects together */
            project: string | null;
            /** @description A login, a label or a node; "*": each person or node without a limit of its own */
            subject: string;
            /** @description At once */
            max: number;
        };
        QueueLimitsUpdate: {
            limits: {
                /** @enum {string} */
                kind: "user" | "label" | "node";
                project?: string | null;
                subject: string;
                max: number;
            }[];
        };
        Queue: {
            paused: boolean;
            pause: {
                by: string;
                note: components["schemas"]["TextOrNull"];
                at: components["schemas"]["Time"];
            } | null;
            queued: number;
            running: number;
            waiting: number;
            limits: components["schemas"]["QueueLimit"][];
        };
        GithubCheckRequest: {
            github_owner: string;
            github_repo: string;
            /** @description Null with project: the saved one */
            github_token?: string | null;
            github_api_url?: string;
            /** @description Use this project's saved token when none is given */
            project?: string;
        };
        CheckRow: {
            /** @example token */
            name: string;
            /** @enum {string} */
            state: "ok" | "warning" | "error";
            message: components["schemas"]["Sentence"];
            fix: components["schemas"]["Sentence"] | null;
        };
        GithubCheck: {
            ok: boolean;
            repository: null | {
                full_name: string;
                private: boolean;
                default_branch: components["schemas"]["TextOrNull"];
                empty: boolean;
                html_url: string;
            };
            checks: components["schemas"]["CheckRow"][];
        };
        ClaudeCheckRequest: {
            anthropic_api_key?: string | null;
            anthropic_base_url?: string;
            model?: string;
            /** @description Use this project's saved key when none is given */
            project?: string;
        };
        ClaudeCheck: {
            ok: boolean;
            checks: components["schemas"]["CheckRow"][];
            models: string[];
        };
        FailureReason: {
            /** @example auth */
            kind: string;
            en: string;
            ja: string;
            /** @description What happens or helps now */
            next: components["schemas"]["Sentence"] | null;
            detail: components["schemas"]["TextOrNull"];
        };
        Usage: {
            calls: number;
            input_tokens: number;
            output_tokens: number;
            cache_read_tokens: number;
            cache_write_tokens: number;
            num_turns: number;
        };
        Changes: {
            files: number;
            insertions: number;
            deletions: number;
        };
        PullRequest: {
            number: number;
            url: string;
        };
        ExecutionSummary: {
            id: string;
            number: number;
            issue_number: number | null;
            title: string;
            status: components["schemas"]["ExecutionStatus"];
            created_at: components["schemas"]["Time"];
            completed_at: components["schemas"]["TimeOrNull"];
        };
        /** @description Why a queued execution does not run yet */
        QueuedReason: {
            /** @example no_node */
            code: string;
            en: string;
            ja: string;
            until: components["schemas"]["TimeOrNull"];
            /** @description Its place among those of its project that could start, from 1; null when it could not, or far back */
            position: number | null;
            /** @description Queued in its project */
            queued: number;
        };
        Execution: {
            id: string;
            /** @description Counts up within the project */
            number: number;
            project: {
                id: string;
                name: string;
                github_owner: string;
                github_repo: string;
            };
            issue_number: number | null;
            issue_url: components["schemas"]["TextOrNull"];
            title: string;
            status: components["schemas"]["ExecutionStatus"];
            trigger: components["schemas"]["Trigger"];
            requested_by: components["schemas"]["TextOrNull"];
            driver: components["schemas"]["Driver"];
            priority: components["schemas"]["Priority"];
            deadline_at: components["schemas"]["TimeOrNull"];
            /** @description The issue's when it was queued */
            labels: string[];
            queued_reason: components["schemas"]["QueuedReason"] | null;
            reason: components["schemas"]["FailureReason"] | null;
            summary: components["schemas"]["TextOrNull"];
            question: components["schemas"]["TextOrNull"];
            no_changes: boolean;
            branch: components["schemas"]["TextOrNull"];
            head_sha: components["schemas"]["TextOrNull"];
            pull_request: components["schemas"]["PullRequest"] | null;
            session_id: components["schemas"]["TextOrNull"];
            model: components["schemas"]["TextOrNull"];
            attempt_count: number;
            /** @description Only in the reply for one execution */
            attempts?: components["schemas"]["Attempt"][];
            usage: components["schemas"]["Usage"];
            cost_usd: number | null;
            changes: components["schemas"]["Changes"];
            log: {
                lines: number;
                bytes: number;
                complete: boolean;
                /** @description It is no longer kept */
                removed: boolean;
            };
            node_id: components["schemas"]["TextOrNull"];
            created_at: components["schemas"]["Time"];
            started_at: components["schemas"]["TimeOrNull"];
            completed_at: components["schemas"]["TimeOrNull"];
            /** @description Working time of the attempts that have ended; time spent waiting is not in it */
            active_ms: number;
            /**
             * Format: date-time
             * @description Since when the present attempt works; null when none does
             */
            active_since: string | null;
            updated_at: components["schemas"]["Time"];
        };
        ExecutionPage: {
            items: components["schemas"]["Execution"][];
            next_cursor: components["schemas"]["TextOrNull"];
        };
        ExecutionCreate: {
            issue_number?: number;
            title?: string;
            prompt?: string;
            driver?: components["schemas"]["Driver"];
            priority?: components["schemas"]["Priority"];
            /** @description RFC 3339; from two days before it on the execution moves ahead */
            deadline_at?: string;
        };
        ExecutionUpdate: {
            priority?: components["schemas"]["Priority"];
            deadline_at?: string | null;
            /** @description Does not wait for its next try any longer */
            now?: boolean;
        };
        RetryRequest: {
            /** @enum {string} */
            session: "same" | "fresh";
        };
        Attempt: {
            number: number;
            /** @enum {string} */
            status: "assigned" | "accepted" | "preparing" | "running" | "publishing" | "ended" | "lost";
            outcome: components["schemas"]["TextOrNull"];
            node_id: components["schemas"]["TextOrNull"];
            reason: components["schemas"]["FailureReason"] | null;
            session_id: components["schemas"]["TextOrNull"];
            exit_code: number | null;
            signal: number | null;
            cost_usd: number | null;
            started_at: components["schemas"]["TimeOrNull"];
            ended_at: components["schemas"]["TimeOrNull"];
        };
        /** @description The comment an execution began with, or the answer to a question it asked */
        Remark: {
            /** @description Counts up within the execution */
            number: number;
            /** @description As it was asked; null when this is not an answer */
            question: string | null;
            text: string;
            /** @description Login on GitHub */
            said_by: string;
            /** @description Of the comment */
            url: string | null;
            said_at: components["schemas"]["Time"];
        };
        RemarkPage: {
            items: components["schemas"]["Remark"][];
            next_cursor: components["schemas"]["TextOrNull"];
        };
        LogMark: {
            /** @description From 0 */
            line: number;
            /** @enum {string} */
            kind: "group" | "end" | "step" | "warning" | "error" | "tool" | "words";
            /** @description The text of a group, step, warning or error, cut */
            title: string;
        };
        LogMarks: {
            items: components["schemas"]["LogMark"][];
            /** @description The first line that was not looked at */
            next: number;
            /** @description Of the log */
            lines: number;
            /** @description No more lines will come */
            complete: boolean;
        };
        LogHit: {
            /** @description From 0 */
            line: number;
            time?: components["schemas"]["TimeOrNull"];
            stream?: string;
            /** @description What stands before the match */
            before?: string;
            /** @description The first match */
            match?: string;
            after?: string;
        };
        LogHits: {
            items: components["schemas"]["LogHit"][];
            /** @description The first line that was not searched */
            next: number;
            /** @description Of the log */
            lines: number;
            /** @description No more lines will come */
            complete: boolean;
        };
        AttemptList: {
            items: components["schemas"]["Attempt"][];
        };
        Node: {
            id: string;
            name: string;
            /** @enum {string} */
            status: "online" | "offline";
            version: components["schemas"]["TextOrNull"];
            isolation: components["schemas"]["TextOrNull"];
            capacity: null | {
                cpus: number;
                memory_bytes: number;
                slots: number;
            };
            load1: number | null;
            memory_free_bytes: number | null;
            disk_free_bytes: number | null;
            /** @description Projects whose agents it runs */
            projects: number;
            last_seen_at: components["schemas"]["TimeOrNull"];
            created_at: components["schemas"]["Time"];
        };
        NodePage: {
            items: components["schemas"]["Node"][];
            next_cursor: components["schemas"]["TextOrNull"];
        };
        Stats: {
            projects: number;
            queued: number;
            running: number;
            waiting: number;
            succeeded_24h: number;
            failed_24h: number;
            cost_usd_24h: number;
            agents_running: number;
        };
        WsTicket: {
            ticket: string;
            /** @description Seconds */
            expires_in: number;
        };
        LiveRequest: {
            /** @constant */
            op: "subscribe";
            /** @description projects, project:{id}, executions, execution:{id}, log:{id}, nodes */
            topic: string;
            /** @description The last seq seen */
            since?: number;
        } | {
            /** @constant */
            op: "unsubscribe";
            topic: string;
        };
        LiveMessage: {
            /** @constant */
            type: "subscribed";
            topic: string;
            seq: number;
        } | {
            /** @constant */
            type: "event";
            topic: string;
            seq: number;
            /** @enum {string} */
            event: "execution" | "project" | "node" | "deleted";
            /** @description The whole object as REST gives it; for deleted: {kind, id} */
            data: components["schemas"]["Execution"] | components["schemas"]["Project"] | components["schemas"]["Node"] | components["schemas"]["Deleted"];
        } | {
            /** @constant */
            type: "log";
            topic: string;
            from: number;
            count: number;
            text: string;
        } | {
            /** @constant */
            type: "log_head";
            topic: string;
            lines: number;
            bytes: number;
            complete: boolean;
        } | {
            /** @constant */
            type: "gap";
            topic: string;
            from: number;
            /** @description Exclusive */
            to: number;
        } | {
            /** @constant */
            type: "refetch";
            topic: string;
        } | {
            /** @constant */
            type: "error";
            code: string;
            detail: string;
            topic?: string;
        };
        Deleted: {
            /** @enum {string} */
            kind: "project";
            id: string;
        };
    };
    responses: {
        /** @description The schedule */
        Schedule: {
            headers: {
                ETag?: string;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Schedule"];
            };
        };
        /** @description The queue */
        Queue: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Queue"];
            };
        };
        /** @description What went wrong */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The project */
        Project: {
            headers: {
                ETag?: string;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Project"];
            };
        };
        /** @description The execution */
        Execution: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Execution"];
            };
        };
        /** @description Lines */
        Log: {
            headers: {
                /** @description Lines there are in all */
                "X-Log-Lines"?: number;
                "X-Log-Bytes"?: number;
                /** @description Number of the first line sent */
                "X-Log-From"?: number;
                /** @description No more lines will come */
                "X-Log-Complete"?: boolean;
                /** @description Lines that were dropped when the log had reached its limit; absent when none */
                "X-Log-Dropped"?: number;
                /** @description Numbers, from 1, of damaged lines among those sent: "first-last"; absent when none */
                "X-Log-Damaged"?: string;
                [name: string]: unknown;
            };
            content: {
                "text/plain": string;
            };
        };
    };
    parameters: {
        project: string;
        schedule: string;
        execution: string;
        cursor: string;
        limit: number;
        /** @description First line */
        from: number;
        count: number;
        /** @description The last lines instead of from and count */
        tail: number;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Alive */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ready */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description Not ready */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["NotReady"];
                };
            };
        };
    };
    metrics_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Text exposition format 0.0.4 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    setup_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description State of the first setup */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SetupState"];
                };
            };
        };
    };
    setup_finish: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetupRequest"];
            };
        };
        responses: {
            /** @description Made and signed in; sets the refresh cookie */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    auth_login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginRequest"];
            };
        };
        responses: {
            /** @description Signed in; sets the refresh cookie */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    auth_refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    auth_logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    me_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who is asking */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    me_update: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MeUpdate"];
            };
        };
        responses: {
            /** @description Changed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    projects_list: {
        parameters: {
            query?: {
                /** @description Part of id, name, owner or repository */
                q?: string;
                /** @description Comma-separated project statuses */
                status?: string;
                cursor?: components["parameters"]["cursor"];
                limit?: components["parameters"]["limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProjectPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    projects_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProjectCreate"];
            };
        };
        responses: {
            /** @description Made */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Project"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    projects_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version last read, quoted; 412 when it is no longer that */
                "If-Match"?: string;
            };
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProjectUpdate"];
            };
        };
        responses: {
            200: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    projects_start: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_pause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_stop: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_restart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: components["responses"]["Project"];
            default: components["responses"]["Problem"];
        };
    };
    projects_logs: {
        parameters: {
            query?: {
                /** @description First line */
                from?: components["parameters"]["from"];
                count?: components["parameters"]["count"];
                /** @description The last lines instead of from and count */
                tail?: components["parameters"]["tail"];
            };
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Log"];
            default: components["responses"]["Problem"];
        };
    };
    env_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Environment variables */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Environment"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    env_replace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EnvironmentUpdate"];
            };
        };
        responses: {
            /** @description Environment variables */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Environment"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_create: {
        parameters: {
            query?: never;
            header?: {
                "Idempotency-Key"?: string;
            };
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExecutionCreate"];
            };
        };
        responses: {
            201: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    schedules_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of the project */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleList"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    schedules_create: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["project"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScheduleCreate"];
            };
        };
        responses: {
            201: components["responses"]["Schedule"];
            default: components["responses"]["Problem"];
        };
    };
    schedules_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Schedule"];
            default: components["responses"]["Problem"];
        };
    };
    schedules_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version last read, quoted; 412 when it is no longer that */
                "If-Match"?: string;
            };
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScheduleUpdate"];
            };
        };
        responses: {
            200: components["responses"]["Schedule"];
            default: components["responses"]["Problem"];
        };
    };
    schedules_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted; its executions stay */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    schedules_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["schedule"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            201: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    checks_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SchedulePreviewRequest"];
            };
        };
        responses: {
            /** @description At most five */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SchedulePreview"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    checks_github: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GithubCheckRequest"];
            };
        };
        responses: {
            /** @description What was found */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GithubCheck"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    checks_claude: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ClaudeCheckRequest"];
            };
        };
        responses: {
            /** @description What was found */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClaudeCheck"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_list: {
        parameters: {
            query?: {
                project?: string;
                /** @description Comma-separated execution statuses */
                status?: string;
                /** @description Its number in the project, as in PROJECT#NUMBER; needs project */
                number?: number;
                /** @description Part of the title, or #number of an issue. A search looks at 3,000 executions at a time: while there is a next_cursor, go on with it, even if the page is empty */
                q?: string;
                cursor?: components["parameters"]["cursor"];
                limit?: components["parameters"]["limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page, newest first; with an ETag, unless something on it waits */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionPage"];
                };
            };
            /** @description It is still the one with that ETag */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_show: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    executions_update: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExecutionUpdate"];
            };
        };
        responses: {
            200: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    executions_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    executions_retry: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RetryRequest"];
            };
        };
        responses: {
            201: components["responses"]["Execution"];
            default: components["responses"]["Problem"];
        };
    };
    executions_attempts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Attempts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttemptList"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_remarks: {
        parameters: {
            query?: {
                cursor?: components["parameters"]["cursor"];
                limit?: components["parameters"]["limit"];
            };
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One page, newest first */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RemarkPage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_log: {
        parameters: {
            query?: {
                /** @description First line */
                from?: components["parameters"]["from"];
                count?: components["parameters"]["count"];
                /** @description The last lines instead of from and count */
                tail?: components["parameters"]["tail"];
            };
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Log"];
            /** @description The range with that ETag */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_log_raw: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The text */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description A part of it */
            206: {
                headers: {
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description It is still the one with that ETag */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description There are fewer bytes than that */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_log_marks: {
        parameters: {
            query?: {
                /** @description First line */
                from?: components["parameters"]["from"];
            };
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Marks in order */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogMarks"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    executions_log_search: {
        parameters: {
            query: {
                /** @description A text or an expression */
                q: string;
                /** @description q is a regular expression (PCRE2) */
                regex?: boolean;
                /** @description Upper and lower case differ */
                case?: boolean;
                /** @description Show the match and what is around it */
                text?: boolean;
                /** @description First line */
                from?: components["parameters"]["from"];
                /** @description Lines that match */
                limit?: number;
            };
            header?: never;
            path: {
                id: components["parameters"]["execution"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Lines in order */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogHits"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    queue_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Queue"];
            default: components["responses"]["Problem"];
        };
    };
    queue_pause: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QueuePauseRequest"];
            };
        };
        responses: {
            200: components["responses"]["Queue"];
            default: components["responses"]["Problem"];
        };
    };
    queue_resume: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: components["responses"]["Queue"];
            default: components["responses"]["Problem"];
        };
    };
    queue_limits_replace: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QueueLimitsUpdate"];
            };
        };
        responses: {
            200: components["responses"]["Queue"];
            default: components["responses"]["Problem"];
        };
    };
    nodes_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All nodes */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodePage"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    stats_show: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Counts for the dashboard */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    ws_ticket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ticket */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WsTicket"];
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    live_connect: {
        parameters: {
            query?: {
                ticket?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Switching protocols */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
    events_stream: {
        parameters: {
            query: {
                /**
                 * @description Comma-separated, at most 100; TOPIC@SEQ goes on behind that seq
                 * @example projects,executions@1700000000000042
                 */
                topics: string;
                ticket?: string;
            };
            header?: {
                /** @description The last id seen, for the same topics: goes on behind it */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events until the session ends */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            default: components["responses"]["Problem"];
        };
    };
    node_connect: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Switching protocols */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            default: components["responses"]["Problem"];
        };
    };
}
