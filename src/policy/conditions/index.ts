export {
  type CallerView,
  type Circumstances,
  type Condition,
  type ConditionError,
  type ConditionFault,
  compileCondition,
  isConditionFault,
  type ToolView,
  type Variable,
} from './compile.ts';
