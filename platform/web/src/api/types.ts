/** The API's shapes under the names we speak. schema.d.ts is made from openapi.yaml. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Execution = Schemas['Execution']
export type ExecutionStatus = Schemas['ExecutionStatus']
export type ExecutionPage = Schemas['ExecutionPage']
export type ExecutionCreate = Schemas['ExecutionCreate']
export type ExecutionUpdate = Schemas['ExecutionUpdate']
export type Remark = Schemas['Remark']
export type RemarkPage = Schemas['RemarkPage']
export type Attempt = Schemas['Attempt']
export type FailureReason = Schemas['FailureReason']
export type Trigger = Schemas['Trigger']

export type Project = Schemas['Project']
export type ProjectStatus = Schemas['ProjectStatus']
export type ProjectHealth = Schemas['ProjectHealth']
export type ProjectPage = Schemas['ProjectPage']
export type ProjectCreate = Schemas['ProjectCreate']
export type ProjectUpdate = Schemas['ProjectUpdate']
export type AgentState = Schemas['AgentState']

export type Schedule = Schemas['Schedule']
export type ScheduleCreate = Schemas['ScheduleCreate']
export type ScheduleUpdate = Schemas['ScheduleUpdate']
export type SchedulePreview = Schemas['SchedulePreview']

export type Queue = Schemas['Queue']
export type QueueLimit = Schemas['QueueLimit']

export type CheckRow = Schemas['CheckRow']
export type GithubCheck = Schemas['GithubCheck']
export type GithubCheckRequest = Schemas['GithubCheckRequest']
export type ClaudeCheck = Schemas['ClaudeCheck']
export type ClaudeCheckRequest = Schemas['ClaudeCheckRequest']

export type PlatformNode = Schemas['Node']
export type NodePage = Schemas['NodePage']
export type Stats = Schemas['Stats']

export type Me = Schemas['Me']
export type Permission = Schemas['Permission']
export type Session = Schemas['Session']
export type SetupState = Schemas['SetupState']
export type SetupRequest = Schemas['SetupRequest']
export type LoginRequest = Schemas['LoginRequest']
export type ProblemDocument = Schemas['Problem']
export type LiveMessage = Schemas['LiveMessage']
export type LiveRequest = Schemas['LiveRequest']
export type Deleted = Schemas['Deleted']
