import type { TaskRecord } from './records.ts'

/** Swarm's placeholders in environment, host name and mounts: `{{.Task.Slot}}` and friends. */
export const expandTemplates = (text: string, task: TaskRecord, host: string): string => {
  const values: Record<string, string> = {
    'Service.ID': task.serviceId,
    'Service.Name': task.serviceName,
    'Node.ID': task.nodeId ?? '',
    'Node.Hostname': host,
    'Task.ID': task.id,
    'Task.Name': `${task.serviceName}.${task.slot || task.nodeId}.${task.id}`,
    'Task.Slot': String(task.slot || task.nodeId),
  }
  return text.replace(/\{\{\s*\.([\w.]+)\s*\}\}/g, (whole, name: string) => values[name] ?? whole)
}
