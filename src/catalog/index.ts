export * from './model.ts'
export * from './serving.ts'
